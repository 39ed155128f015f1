/** The loop on a real store, with compute processes that are played: what crashes, stops and repeats in it. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exactMatchGrader } from '../../src-core/graders/exact-match.ts'
import type { GraderPort, LedgerPort } from '../../src-core/loop/ports.ts'
import { Paused, runSeal } from '../../src-core/loop/seal.ts'
import { parseRecipe } from '../../src-core/recipes/parse-recipe.ts'
import { retryCrashes } from '../../src-core/runs/retry-crashes.ts'
import { pausing } from '../../src-core/runs/run-end.ts'
import { openStore, type Store } from '../../src-core/store/store.ts'
import { tasksetSha256 } from '../../src-core/tasksets/taskset-hash.ts'
import type { ComputePort, GenerateInput, TrainInput } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { PassageTask, Taskset } from '../../src-shared/task.ts'
import { loopRecipe } from '../fixtures/loop-recipe.ts'
import { model, runInput } from '../fixtures/store-rows.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const recipe = parseRecipe(loopRecipe, 'loop.toml')

const task = (id: string): PassageTask => ({
  id,
  title: id,
  passage: `The passage of ${id}.`,
  questions: [{ id: `${id}?`, question: 'Which?', referenceAnswer: 'even', aliases: [] }],
})
const splits = { train: [task('one'), task('two')], validation: [], test: [task('three')] }
const taskset: Taskset = { name: 'numbers', sha256: tasksetSha256(splits), splits }

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

type Played = {
  /** The bytes of the adapter that a training makes. Throws what the trainer would. */
  readonly train: (seed: number, texts: readonly string[]) => string
  /** What is written after a prompt. Throws what the generator would. */
  readonly write: (prompt: string, seed: number, adapters: readonly string[]) => string
}

const usual: Played = {
  train: (seed, texts) => `adapter ${seed} ${texts.join('|')}`,
  write: (prompt, seed, adapters) => {
    if (!prompt.endsWith('Answer:')) return `edit ${seed} by ${adapters.length === 0 ? 'base' : 'policy'}`
    return parseInt(sha256(`${prompt} ${adapters.join()}`).slice(0, 8), 16) % 2 === 0 ? 'even' : 'odd'
  },
}

/** Answers every request by these rules; texts are tokenized to their characters. */
function play({ train, write }: Played = usual): ComputePort {
  const contents = new Map<string, string>() // of the adapters, by path
  const answers = {
    'generator.tokenize': ({ texts }: { readonly texts: readonly string[] }) => ({
      texts: texts.map((text) => Int32Array.from([...text], (character) => character.codePointAt(0)!)),
    }),
    'generator.generate': ({ prompts, adapters }: GenerateInput) => ({
      completions: prompts.map(({ text: prompt, seeds }) =>
        seeds.map((seed) => {
          const text = write(
            prompt,
            seed,
            adapters.map(({ path }) => contents.get(path) ?? path),
          )
          return { text, tokens: text.length, finishReason: 'end', seed, logProb: -1 }
        }),
      ),
    }),
    'trainer.train': ({ jobs }: TrainInput) => ({
      adapters: jobs.map(({ seed, sequences, adapterPath }) => {
        const texts = sequences.map(({ tokens }) => String.fromCodePoint(...tokens))
        const bytes = train(seed, texts)
        writeFileSync(adapterPath, bytes)
        contents.set(adapterPath, bytes)
        return { adapter: adapterPath, sha256: sha256(bytes), steps: 1, losses: [1], seed }
      }),
    }),
  }
  return {
    request: async (method, input) => answers[method as keyof typeof answers](input as never) as never, // sound: the loop makes no other requests
  }
}

let stores = 0
type Made = { readonly store: Store; readonly workFolder: string }

function newRun(): Made {
  const path = join(folder, `store-${stores++}`)
  const store = openStore(path)
  store.addModel(model)
  store.addTaskset(taskset, 'a test')
  store.createRun({ ...runInput('r'), config: recipe, seed: recipe.seed, tasksetSha256: taskset.sha256 })
  const workFolder = join(path, 'work')
  mkdirSync(workFolder)
  return { store, workFolder }
}

type Surroundings = {
  readonly compute?: ComputePort
  readonly grader?: GraderPort
  readonly ledger?: LedgerPort
  readonly taskset?: Taskset
  readonly recipe?: Recipe
}

async function run({ store, workFolder }: Made, surroundings: Surroundings = {}): Promise<void> {
  await runSeal({
    compute: play(),
    grader: exactMatchGrader,
    ledger: store,
    taskset,
    recipe,
    ...surroundings,
    signal: new AbortController().signal,
    modelPath: 'none.gguf',
    modelSha256: model.sha256,
    runId: 'r',
    workFolder,
    isPaused: () => false,
    onProgress: () => undefined,
  })
}

const crashed = (): AppError =>
  new AppError('compute_crashed', 'The trainer stopped unexpectedly.', { stderr: `at ${Math.random()}` })

async function undisturbed(): Promise<string> {
  const made = newRun()
  await run(made)
  return made.store.headHash('r')
}

test('when every request crashes once, each is made again and the ledger is the same', async () => {
  const made = newRun()
  const played = play()
  let requests = 0
  const compute: ComputePort = {
    request: async (...request) => {
      if (requests++ % 2 === 0) throw crashed()
      return await played.request(...request)
    },
  }
  await run(made, { compute: retryCrashes(compute) })
  expect(requests).toBeGreaterThan(40)
  expect(made.store.headHash('r')).toBe(await undisturbed())
})

test('a run that is stopped between any two commits goes on to the same ledger', async () => {
  const made = newRun()
  const { store } = made
  let commits = 0
  const ledger: LedgerPort = {
    rows: (...query) => store.rows(...query),
    adoptBlob: (path) => store.adoptBlob(path),
    blobPath: (hash) => store.blobPath(hash),
    commit: (...rows) => {
      if (++commits > 1) throw new Error('stopped')
      return store.commit(...rows)
    },
  }
  let stops = 0
  for (let isDone = false; !isDone; commits = 0) {
    isDone = await run(made, { ledger }).then(
      () => true,
      (error: unknown) => {
        expect(error).toEqual(new Error('stopped'))
        stops++
        return false
      },
    )
  }
  expect(stops).toBeGreaterThan(15)
  expect(store.headHash('r')).toBe(await undisturbed())
})

test('a text with which the trainer always crashes fails its own trial only, and has no reward', async () => {
  const made = newRun()
  let bad: string | undefined
  const compute = play({
    ...usual,
    train: (seed, texts) => {
      bad ??= texts.find((text) => text.includes('edit'))
      if (texts.includes(bad ?? '')) throw crashed()
      return usual.train(seed, texts)
    },
  })
  await run(made, { compute: retryCrashes(compute) })
  const { store } = made
  const failed = store.rows('trials', 'r', { status: 'failed' })
  expect(failed).toEqual([
    expect.objectContaining({
      error: { code: 'compute_crashed', message: 'The trainer stopped unexpectedly.' },
      steps: 0,
      adapterSha256: null,
    }),
  ])
  const [trial] = failed
  const values = store.rows('rewards', 'r').map(({ candidateId, value }) => [candidateId, value === null])
  expect(values.filter(([, isMissing]) => isMissing)).toEqual([[trial!.candidateId, true]])
  expect(store.eventsAfter('r', 0).filter(({ type }) => type === 'trial-failed')).toEqual([
    expect.objectContaining({
      data: { id: trial!.id, error: expect.objectContaining({ data: { stderr: expect.any(String) } }) },
    }),
  ])
})

test('an adapter with which the generator always crashes fails its trial', async () => {
  const made = newRun()
  const compute = play({
    ...usual,
    write: (prompt, seed, adapters) => {
      if (prompt.endsWith('Answer:') && adapters[0]?.includes('two')) throw crashed()
      return usual.write(prompt, seed, adapters)
    },
  })
  await run(made, { compute: retryCrashes(compute) })
  const failed = made.store.rows('trials', 'r', { status: 'failed' })
  expect(failed.map(({ candidateId }) => candidateId)).toEqual([
    expect.stringContaining('/two/0'),
    expect.stringContaining('/two/1'),
  ])
  expect(made.store.rows('results', 'r')).toHaveLength(1)
})

test('adapters of equal bytes are one file and one row', async () => {
  const made = newRun()
  await run(made, { compute: play({ ...usual, train: () => 'the same bytes' }) })
  const { store } = made
  expect(store.rows('adapters', 'r').map(({ sha256: hash }) => hash)).toEqual([sha256('the same bytes')])
  expect(store.rows('policy_versions', 'r').map(({ adapterSha256 }) => adapterSha256)).toEqual([
    null,
    sha256('the same bytes'),
    sha256('the same bytes'),
  ])
})

/** Of which candidates an adapter is in the store, one entry per trial; and those there are. */
async function keptCandidates(changes: Partial<Recipe>, keepAdapters: Recipe['innerLoop']['keepAdapters']) {
  const made = newRun()
  await run(made, {
    recipe: { ...recipe, ...changes, innerLoop: { ...recipe.innerLoop, trials: 2, keepAdapters } },
  })
  const { store, workFolder } = made
  const hashes = new Set(store.rows('adapters', 'r').map((adapter) => adapter.sha256))
  const files = readdirSync(join(store.folder, 'blobs'), { recursive: true, withFileTypes: true })
  expect(files.filter((file) => file.isFile())).toHaveLength(hashes.size)
  expect(readdirSync(workFolder)).toEqual([])
  const trials = store.rows('trials', 'r').filter(({ adapterSha256 }) => hashes.has(adapterSha256!))
  return {
    kept: trials.map(({ candidateId }) => candidateId),
    selected: store.rows('selections', 'r').map(({ candidateId }) => candidateId),
    all: store.rows('candidates', 'r').map(({ id }) => id),
  }
}

test('of the selected candidates one adapter each stays, and of no other', async () => {
  const best = await keptCandidates({}, 'selected')
  expect(best.kept).toEqual(best.selected)
  expect(best.kept).toHaveLength(2)
  const above = await keptCandidates(
    { selection: { rule: 'above-baseline' }, reward: 'accuracy' },
    'selected',
  )
  expect(above.kept).toEqual(above.selected)
})

test('where a whole round decides, the adapters of the round stay', async () => {
  const { kept, all } = await keptCandidates(
    { selection: { rule: 'top-fraction', fraction: 0.5 } },
    'selected',
  )
  expect(kept).toEqual(all.filter((id) => id.startsWith('round-')))
})

test('a recipe can keep an adapter of every candidate, or none', async () => {
  const every = await keptCandidates({}, 'all')
  expect(every.kept).toEqual(every.all)
  expect((await keptCandidates({}, 'none')).kept).toEqual([])
})

test('a judge without a single verdict stops the run before anything is trained', async () => {
  const made = newRun()
  const silent: GraderPort = {
    name: 'silent',
    grade: async (items) => items.map(() => ({ verdict: 'ungraded', detail: 'no reply' })),
  }
  const two = {
    ...task('three'),
    questions: [task('three'), task('four')].map(({ questions }) => questions[0]!),
  }
  const asked = { ...taskset, splits: { ...splits, test: [two] } }
  const reason = {
    code: 'not_found',
    message: 'None of 2 answers could be graded (no reply). Mend the judge.',
  }
  await expect(run(made, { grader: silent, taskset: asked })).rejects.toMatchObject({ reason })
  expect(made.store.rows('answers', 'r')).toEqual([])
})

test('a grader that can grade nothing pauses the run for its reason, and loses nothing', async () => {
  const made = newRun()
  let graded = 0
  const grader: GraderPort = {
    ...exactMatchGrader,
    grade: async (items, signal) => {
      if (++graded === 5) throw new AppError('not_found', 'The judge cannot be reached. Start it.')
      return await exactMatchGrader.grade(items, signal)
    },
  }
  const stopped = run(made, { grader: pausing(grader) })
  await expect(stopped).rejects.toThrow(Paused)
  await expect(stopped).rejects.toMatchObject({
    reason: { code: 'not_found', message: 'The judge cannot be reached. Start it.' },
  })
  await run(made, { grader: pausing(grader) })
  expect(made.store.headHash('r')).toBe(await undisturbed())
})
