/**
 * How well a model does on mini-puzzles, for tuning: in context on trained families and on held-out ones, and on the
 * held-out ones with an adapter trained on the puzzle's own demonstrations. Validation puzzles only.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { count, file } from '../../src-cli/options.ts'
import type { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { defaultLora, defaultOptimizer } from '../../src-shared/api/defaults.ts'
import type {
  GeneratorMethods,
  LoraConfig,
  OptimizerConfig,
  TrainerMethods,
  TrainSequence,
} from '../../src-shared/compute-protocol.ts'
import { parseGridText } from '../../src-shared/few-shot/grid.ts'
import { outputText, parseOutput, puzzleMessage } from '../../src-shared/few-shot/puzzle-text.ts'
import { trainingTasks, type LeaveOut, type TrainingTask } from '../../src-shared/few-shot/training-tasks.ts'
import type { TransformFamily } from '../../src-shared/few-shot/transforms.ts'
import { gridText } from '../../src-shared/few-shot/grid.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import type { FewShotTask } from '../../src-shared/task.ts'
import { drawFrom } from '../nano/draw.ts'
import { startCompute } from '../nano/pretraining.ts'
import { trainedFamilies } from './families.ts'
import { drawTrainingPuzzle, drawSides, puzzleSides } from './puzzles.ts'
import { miniGrids, puzzleTask } from './taskset.ts'

/** One line of the table: what is trained, and how. */
type Setting = {
  readonly families: readonly TransformFamily[]
  readonly all: boolean // tokens in the loss, instead of outputs only
  readonly learningRate: number
  readonly epochs: number
  readonly leaveOut: readonly LeaveOut[]
  readonly maxTasks: number
  readonly rank: number
  readonly alpha: number
  readonly batchSize: number
}
type Flags = {
  readonly threads: number
  readonly settings?: string
  readonly perFamily: number
  readonly puzzles?: number
  readonly repeats: number
  readonly verbose?: boolean
}

const command = new Command('nano-grid:try')
  .argument('<model>', 'GGUF file')
  .option('--threads <n>', 'CPU threads', count, 1)
  .option('--per-family <n>', 'puzzles of each trained family', count, 4)
  .option('--puzzles <n>', 'held-out puzzles that adapters are trained for (default: all)', count)
  .option('--repeats <n>', 'adapters per puzzle', count, 1)
  .option('--settings <file>', 'a JSON array of settings, each a line of the table', file)
  .option('--verbose', 'accuracy of each family')
  .parse()
const modelPath = command.args[0]!
const { threads, settings, perFamily, puzzles, repeats, verbose } = command.opts<Flags>()
const base: Setting = {
  families: ['basic'],
  all: false,
  learningRate: 3e-3,
  epochs: 2,
  leaveOut: [1],
  maxTasks: 48,
  rank: 16,
  alpha: 16,
  batchSize: 2,
}
const generator = startCompute<GeneratorMethods>('generator')
const trainer = startCompute<TrainerMethods>('trainer')
const directory = mkdtempSync(join(tmpdir(), 'nano-grid-try-'))
try {
  {
    const trained = trainedFamilies.flatMap((family) =>
      Array.from({ length: perFamily }, (_, number) => {
        const draw = drawFrom('nano-grid try', family.name, number)
        return puzzleTask(
          `${family.name}-${number}`,
          family.name,
          drawTrainingPuzzle(draw, family, drawSides(draw, puzzleSides), 'many', 5).pairs,
        )
      }),
    )
    report(
      'trained families, in context',
      trained,
      (await answers(trained, [])).map((each) => [each]),
    )
  }
  const heldOut = miniGrids().validation
  report(
    'held-out families, in context',
    heldOut,
    (await answers(heldOut, [])).map((each) => [each]),
  )
  if (settings !== undefined)
    for (const setting of JSON.parse(readFileSync(settings, 'utf8')) as Partial<Setting>[])
      await tryAdapters(heldOut.slice(0, puzzles), { ...base, ...setting }, JSON.stringify(setting))
} finally {
  rmSync(directory, { recursive: true })
  await generator.dispose()
  await trainer.dispose()
}

async function tryAdapters(puzzles: readonly FewShotTask[], setting: Setting, label: string): Promise<void> {
  const began = performance.now()
  const verdicts: boolean[][] = puzzles.map(() => [])
  let tokens = 0
  let trainSeconds = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const jobs = []
    for (const puzzle of puzzles) {
      const seed = deriveSeed('try', puzzle.id, repeat)
      const { tasks } = trainingTasks(puzzle.demonstrations, { ...setting, seed })
      const sequences = await sequencesOf(tasks, setting.all)
      tokens += sequences.reduce((sum, each) => sum + each.tokens.length * setting.epochs, 0)
      jobs.push({
        sequences,
        optimizer: optimizerOf(setting),
        seed,
        adapterPath: join(directory, `${puzzle.id}.gguf`),
      })
    }
    const started = performance.now()
    await trainer.request(
      'trainer.train',
      { modelPath, lora: loraOf(setting), jobs, recompute: 'none', threads },
      {},
    )
    trainSeconds += (performance.now() - started) / 1000
    for (const [index, puzzle] of puzzles.entries()) {
      const [verdict] = await answers([puzzle], [{ path: jobs[index]!.adapterPath, scale: 1 }])
      verdicts[index]!.push(verdict!)
    }
  }
  const trials = puzzles.length * repeats
  const seconds = (performance.now() - began) / 1000
  report(
    `${label}  ${Math.round(tokens / trials)} tokens  ${(trainSeconds / trials).toFixed(2)} s training, ${(seconds / trials).toFixed(2)} s in all`,
    puzzles,
    verdicts,
  )
}

async function sequencesOf(tasks: readonly TrainingTask[], all: boolean): Promise<TrainSequence[]> {
  const prompts = tasks.map(({ demonstrations, query }) =>
    puzzleMessage('rows', { demonstrations, input: query.input }),
  )
  const texts = tasks.map(({ query }, index) => prompts[index]! + outputText('rows', query.output))
  const tokenized = await tokenize(generator, texts, true)
  const lengths = (await tokenize(generator, prompts, false)).map((each) => each.length)
  return tokenized.map((tokens, index) => ({
    tokens,
    lossMask: Uint8Array.from(tokens, (_, at) => (at >= (all ? 1 : lengths[index]!) ? 1 : 0)),
  }))
}

async function tokenize(
  from: ComputeClient<GeneratorMethods>,
  texts: readonly string[],
  end: boolean,
): Promise<readonly Int32Array[]> {
  return (await from.request('generator.tokenize', { modelPath, texts, begin: false, end }, {})).texts
}

/** Whether each puzzle's output is found. */
async function answers(
  puzzles: readonly FewShotTask[],
  adapters: readonly { path: string; scale: number }[],
): Promise<boolean[]> {
  const prompts = puzzles.map(({ demonstrations, questions }) => ({
    text: puzzleMessage('rows', { demonstrations, input: parseGridText(questions[0]!.question)! }),
    seeds: [1],
  }))
  const sampling = { temperature: 0, topP: 1, maxTokens: 80, stop: ['#'] }
  const { completions } = await generator.request(
    'generator.generate',
    { modelPath, adapters, prompts, sampling, threads, parallel: 16 },
    {},
  )
  return puzzles.map(({ questions }, index) => {
    const grid = parseOutput('rows', completions[index]![0]!.text)
    return grid !== null && gridText(grid) === questions[0]!.referenceAnswer
  })
}

function loraOf({ rank, alpha }: Setting): LoraConfig {
  return { ...defaultLora, loraRank: rank, loraAlpha: alpha }
}

function optimizerOf({ learningRate, epochs, batchSize }: Setting): OptimizerConfig {
  return { ...defaultOptimizer, learningRate, epochs, batchSize, maxTokensPerMicroBatch: 2048 }
}

function report(
  label: string,
  puzzles: readonly FewShotTask[],
  verdicts: readonly (readonly boolean[])[],
): void {
  const share = (of: readonly boolean[]): string =>
    `${((100 * of.filter(Boolean).length) / of.length).toFixed(1)} %`
  console.log(`${share(verdicts.flat())} of ${verdicts.flat().length}  ${label}`)
  if (verbose === true) {
    const families = Map.groupBy(puzzles.keys(), (index) => puzzles[index]!.title)
    console.log(
      [...families]
        .map(([name, indices]) => `${name} ${share(indices.flatMap((index) => verdicts[index]!))}`)
        .join(', '),
    )
  }
}
