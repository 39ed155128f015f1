/**
 * What the control arms of an evaluation learn from or are shown: as much training without a self-edit, the questions
 * themselves with their answers, another passage that a search finds, a policy whose rewards were dealt out anew. Each
 * takes away one explanation of a gain.
 */
import { uniformFloat } from '../../src-shared/random.ts'
import type { CandidateRecord } from '../../src-shared/records.ts'
import type { SelfEditPromptKey } from '../../src-shared/self-edit-prompts.ts'
import type { PassageTask } from '../../src-shared/task.ts'

/** One candidate holds a self-edit for each (after SPA: a fixed set of prompts, no reinforcement). */
export const fixedPrompts = [
  'implications',
  'implications-long',
  'rewrite',
] as const satisfies readonly SelfEditPromptKey[]

/** The self-edit that nothing could be better than: every question with its answer. */
export function goldSelfEdit({ questions }: PassageTask): string {
  return questions
    .map(
      ({ question, referenceAnswer }, index) =>
        `Question ${index + 1}: ${question}\nAnswer: ${referenceAnswer}`,
    )
    .join('\n')
}

/** The texts over and over, as many as there are `like` them, or as many characters; at least once. */
export function repeated(
  texts: readonly string[],
  like: readonly string[],
  measure: 'equal-steps' | 'equal-tokens',
): string[] {
  const length = (all: readonly string[]): number => all.reduce((sum, text) => sum + text.length, 0)
  const wanted =
    measure === 'equal-steps' ? like.length : Math.round((texts.length * length(like)) / length(texts))
  return Array.from({ length: Math.max(texts.length, wanted) }, (_, index) => texts[index % texts.length]!)
}

/**
 * For each passage of a candidate's group one of its candidates at random, as many groups as the selection chose from:
 * what the policy would learn from if rewards said nothing.
 */
export function shuffledChoice(
  candidates: readonly CandidateRecord[],
  selected: ReadonlySet<string>,
  ...seed: readonly (string | number)[]
): CandidateRecord[] {
  const groups = [...Map.groupBy(candidates, ({ taskId }) => taskId).values()]
  const draw = uniformFloat(...seed, 'shuffled')
  return groups.flatMap((group) => {
    const written = group.filter(({ text }) => text !== '')
    const count = group.filter(({ id }) => selected.has(id)).length
    const order = written
      .map((candidate) => ({ candidate, place: draw() }))
      .toSorted((a, b) => a.place - b.place)
    return order.slice(0, count).map(({ candidate }) => candidate)
  })
}

const k1 = 1.2
const b = 0.75

/** Finds the passage for a question by BM25 (Robertson and Zaragoza 2009) with its usual constants; ties: the first. */
export function passageSearch(tasks: readonly PassageTask[]): (question: string) => PassageTask {
  const documents = tasks.map(({ title, passage }) => wordsOf(`${title} ${passage}`))
  const counts = documents.map((words) => countsOf(words))
  const meanLength = documents.reduce((sum, words) => sum + words.length, 0) / documents.length
  const frequency = new Map<string, number>()
  for (const each of counts)
    for (const word of each.keys()) frequency.set(word, (frequency.get(word) ?? 0) + 1)
  const weight = (word: string): number => {
    const found = frequency.get(word) ?? 0
    return Math.log(1 + (tasks.length - found + 0.5) / (found + 0.5))
  }
  return (question) => {
    const asked = new Set(wordsOf(question))
    let best = 0
    let highest = -1
    for (const [index, own] of counts.entries()) {
      const size = k1 * (1 - b + (b * documents[index]!.length) / meanLength)
      let score = 0
      for (const word of asked) {
        const times = own.get(word) ?? 0
        score += (weight(word) * times * (k1 + 1)) / (times + size)
      }
      if (score > highest) [best, highest] = [index, score]
    }
    return tasks[best]!
  }
}

const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []

function countsOf(words: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}
