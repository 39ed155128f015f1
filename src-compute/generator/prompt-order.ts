/**
 * The order in which prompts are evaluated: sorted by their tokens, each shares its beginning with the one before, and
 * a beginning that several share is evaluated once. The order depends on the prompts alone, so that results do too.
 */

export type OrderedPrompt = {
  readonly tokens: Int32Array
  readonly shared: number // leading tokens taken over from the prompt before
  readonly completions: readonly { readonly prompt: number; readonly index: number; readonly seed: number }[]
}

/** Shorter common beginnings are not worth two decodes in place of one. */
const leastShared = 16

/** Equal prompts become one, the only thing shared if no beginnings are. `prompt` and `index` in the result say where a completion belongs. */
export function orderPrompts(
  prompts: readonly { readonly tokens: Int32Array; readonly seeds: readonly number[] }[],
  { sharesBeginnings = true }: { readonly sharesBeginnings?: boolean } = {},
): OrderedPrompt[] {
  const order = prompts
    .map((_, index) => index)
    .sort((one, other) => compare(prompts[one]!.tokens, prompts[other]!.tokens))
  const ordered: (OrderedPrompt & { completions: OrderedPrompt['completions'][number][] })[] = []
  for (const prompt of order) {
    const { tokens, seeds } = prompts[prompt]!
    if (seeds.length === 0) continue
    const completions = seeds.map((seed, index) => ({ prompt, index, seed }))
    const before = ordered.at(-1)
    const common = before ? commonLength(before.tokens, tokens) : 0
    if (before && common === tokens.length && common === before.tokens.length) {
      before.completions.push(...completions)
    } else {
      ordered.push({ tokens, shared: !sharesBeginnings || common < leastShared ? 0 : common, completions })
    }
  }
  return ordered
}

function commonLength(one: Int32Array, other: Int32Array): number {
  const most = Math.min(one.length, other.length)
  for (let index = 0; index < most; index++) if (one[index] !== other[index]) return index
  return most
}

/** Lexicographic; the shorter of two that agree comes first. */
function compare(one: Int32Array, other: Int32Array): number {
  const common = commonLength(one, other)
  if (common === one.length || common === other.length) return one.length - other.length
  return one[common]! - other[common]!
}
