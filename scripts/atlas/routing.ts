/**
 * How well embeddings tell which passage a question is about: for every question on the atlas's test countries, whether
 * the right passage has the highest cosine of all 60, and what a threshold chosen on the training countries lets pass.
 * `node scripts/atlas/routing.ts [MODEL.gguf]`; its figures are in docs/log.md.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import { readTaskset } from '../../src-core/tasksets/read-taskset.ts'
import type { GeneratorMethods } from '../../src-shared/compute-protocol.ts'
import { questionPrompt } from '../../src-shared/self-edit-prompts.ts'
import { requirePassages, type PassageTask } from '../../src-shared/task.ts'

const root = join(import.meta.dirname, '../..')
const modelPath = process.argv[2] ?? join(root, 'resources/models/selkie-nano.gguf')
const reading = await readTaskset({ format: 'selkie', path: join(root, 'resources/tasksets/atlas') })
const { test, train } = requirePassages(reading.taskset).splits
const generator = new ComputeClient<GeneratorMethods>({
  name: 'generator',
  entry: fileURLToPath(new URL('../../src-compute/generator/main.ts', import.meta.url)),
  launch: launchWithFork,
})

type Vector = readonly number[]
const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, index) => sum + value * b[index]!, 0)
const unit = (a: Vector): Vector => a.map((value) => value / Math.sqrt(dot(a, a)))
const meanOf = (all: readonly Vector[]): Vector =>
  all[0]!.map((_, index) => all.reduce((sum, vector) => sum + vector[index]!, 0) / all.length)
const minus = (a: Vector, b: Vector): Vector => unit(a.map((value, index) => value - b[index]!))

async function embed(texts: readonly string[]): Promise<Vector[]> {
  const { vectors } = await generator.request('generator.embed', { modelPath, texts, threads: 1 })
  return vectors.map((vector) => [...vector])
}

const questionTexts = (tasks: readonly PassageTask[], topic: boolean): string[] =>
  tasks.flatMap(({ title, questions }) =>
    questions.map(({ question }) => questionPrompt(topic ? title : '', question)),
  )
/** For each question, in the order of questionTexts, which passage it is about. */
const rightOf = (tasks: readonly PassageTask[]): number[] =>
  tasks.flatMap(({ questions }, index) => questions.map(() => index))

const sentencesOf = (passage: string): string[] => passage.split(/(?<=[.!?])\s+/)

/** The texts that stand for a passage. Of several the one most like the question counts. */
const representations: Record<string, (task: PassageTask) => string[]> = {
  passage: ({ passage }) => [passage],
  'topic and passage': ({ title, passage }) => [`Topic: ${title}\nPassage: ${passage}`],
  sentences: ({ passage }) => sentencesOf(passage),
  'sentences put as questions': ({ title, passage }) =>
    [`What is ${title}?`, ...sentencesOf(passage)].map((text) => questionPrompt(title, text)),
  'topic line': ({ title }) => [`Topic: ${title}`],
  'topic line and "Question:"': ({ title }) => [`Topic: ${title}\nQuestion:`],
}

/** [passage][text] */
type Stored = readonly (readonly Vector[])[]

async function embedAll(
  tasks: readonly PassageTask[],
  textsOf: (task: PassageTask) => string[],
): Promise<Stored> {
  const texts = tasks.map(textsOf)
  const vectors = (await embed(texts.flat()))[Symbol.iterator]()
  return texts.map((of) => of.map(() => vectors.next().value!)) // as many as texts
}

function cosinesOf(questions: readonly Vector[], stored: Stored): number[][] {
  return questions.map((question) =>
    stored.map((vectors) => Math.max(...vectors.map((vector) => dot(question, vector)))),
  )
}

/** The cosine from which on a passage is taken to be meant: best for the training countries' right and wrong ones. */
function thresholdOf(cosines: readonly (readonly number[])[], right: readonly number[]): number {
  const all = cosines
    .flatMap((row, index) => row.map((cosine, passage) => ({ cosine, isRight: passage === right[index] })))
    .sort((a, b) => b.cosine - a.cosine)
  const rightOnes = cosines.length
  const wrongOnes = all.length - rightOnes
  let best = { gain: 0, cosine: 1 }
  let gain = 0
  for (const { cosine, isRight } of all) {
    gain += isRight ? 1 / rightOnes : -1 / wrongOnes
    if (gain > best.gain) best = { gain, cosine }
  }
  return best.cosine
}

function report(name: string, cosines: readonly (readonly number[])[], threshold: number): void {
  let right = 0
  let passed = 0
  let wrongPassed = 0
  let wrong = 0
  for (const [index, row] of cosines.entries()) {
    const own = row[rightOf(test)[index]!]!
    const others = row.filter((_, passage) => passage !== rightOf(test)[index])
    right += others.every((cosine) => cosine < own) ? 1 : 0
    passed += own >= threshold ? 1 : 0
    wrongPassed += others.filter((cosine) => cosine >= threshold).length
    wrong += others.length
  }
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  console.log(
    `| ${name} | ${percent(right / cosines.length)} | ${threshold.toFixed(2)} | ${percent(passed / cosines.length)} | ${percent(wrongPassed / wrong)} |`,
  )
}

console.log('| question | passage | vectors | right of 60 | threshold | right ones on | wrong ones on |')
console.log('|---|---|---|---|---|---|---|')
for (const topic of [true, false]) {
  const questions = await embed(questionTexts(test, topic))
  const trainQuestions = await embed(questionTexts(train, topic))
  const questionMean = meanOf(trainQuestions)
  for (const [name, textsOf] of Object.entries(representations)) {
    const stored = await embedAll(test, textsOf)
    const trainStored = await embedAll(train, textsOf)
    const compare = (
      how: string,
      ofQuestion: (of: Vector) => Vector,
      ofStored: (of: Vector) => Vector,
    ): void => {
      const cosines = (of: readonly Vector[], passages: Stored): number[][] =>
        cosinesOf(
          of.map(ofQuestion),
          passages.map((vectors) => vectors.map(ofStored)),
        )
      report(
        `${topic ? 'with topic' : 'alone'} | ${name} | ${how}`,
        cosines(questions, stored),
        thresholdOf(cosines(trainQuestions, trainStored), rightOf(train)),
      )
    }
    const storedMean = meanOf(trainStored.flat())
    const ownMean = meanOf(stored.flat())
    const less =
      (mean: Vector) =>
      (vector: Vector): Vector =>
        minus(vector, mean)
    compare('as they are', unit, unit)
    compare("less the test passages' mean", less(ownMean), less(ownMean))
    compare("each less its kind's mean", less(questionMean), less(storedMean))
  }
}
await generator.dispose()
