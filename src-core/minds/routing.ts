/**
 * Which edits are on for a question: the one whose passage is most like it, by the model's own embeddings, if it is
 * like it at all.
 */
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import { questionPrompt, type TitledPassage } from '../../src-shared/self-edit-prompts.ts'

export type RouteTexts = { readonly editId: string; readonly texts: readonly string[] }

/** A vector for each text, of length 1. */
export type Embed = (texts: readonly string[]) => Promise<readonly Float32Array[]>

/**
 * Asks the generator once for each text, however often it is needed: a lesson asks the same questions of the same
 * passages many times, and a text's vector depends on nothing else.
 */
export function createEmbed({
  compute,
  signal,
  modelPath,
}: {
  readonly compute: ComputePort
  readonly signal: AbortSignal
  readonly modelPath: string // of the base model, so that what was learned does not change the way
}): Embed {
  const known = new Map<string, Float32Array>()
  return async (texts) => {
    const unknown = [...new Set(texts)].filter((text) => !known.has(text))
    if (unknown.length > 0) {
      const { vectors } = await compute.request('generator.embed', { modelPath, texts: unknown }, { signal })
      for (const [index, text] of unknown.entries()) known.set(text, vectors[index]!)
    }
    return texts.map((text) => known.get(text)!)
  }
}

/**
 * Less alike than this (cosine), no edit is on. Chosen for selkie-nano (docs/log.md): with another model nearly everything
 * may be more alike, and the nearest edit is always on.
 */
const leastSimilarity = 0.84

const mostSentences = 32

/**
 * What a question about a passage is compared with: the passage's sentences, each put as a question is. A passage as it
 * stands is less like a question about it than like other passages.
 */
export function routeOf(editId: string, { title, passage }: TitledPassage): RouteTexts {
  const sentences = passage
    .trim()
    .split(/(?<=[.!?])\s+/)
    .slice(0, mostSentences)
  const first = title === '' ? [] : [`What is ${title}?`]
  return { editId, texts: [...first, ...sentences].map((text) => questionPrompt(title, text)) }
}

/** For each question the edit to put on, or null. Throws what the generator throws. */
export async function routeQuestions(
  embed: Embed,
  routes: readonly RouteTexts[],
  questions: readonly string[],
): Promise<readonly (string | null)[]> {
  if (routes.length === 0 || questions.length === 0) return questions.map(() => null)
  const texts = routes.flatMap((route) => route.texts)
  const passages = await embed(texts)
  const owners = routes.flatMap(({ editId, texts }) => texts.map(() => editId))
  return (await embed(questions)).map((question) => {
    let best: string | null = null
    let highest = leastSimilarity
    for (const [index, passage] of passages.entries()) {
      const similarity = dot(passage, question)
      if (similarity < highest) continue
      highest = similarity
      best = owners[index]!
    }
    return best
  })
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!
  return sum
}
