/** Completions that must follow a grammar, from real llama.cpp in a real child, with the bundled nano model. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import * as z from 'zod'
import type { Completion, GenerateInput, Sampling } from '../../src-shared/compute-protocol.ts'
import { startGenerator } from './compute.ts'

const modelPath = fileURLToPath(new URL('../../resources/models/selkie-nano.gguf', import.meta.url))
const generator = startGenerator()
const seeds = (count: number): number[] => Array.from({ length: count }, (_, seed) => seed)
const sampling: Sampling = { temperature: 1.5, topP: 1, maxTokens: 200, stop: [] }

/** The completions of one prompt. */
async function generate(
  request: Partial<GenerateInput> & { readonly seeds: readonly number[]; readonly prompt?: string },
): Promise<readonly Completion[]> {
  const { seeds, prompt = 'The settings are ', ...input } = request
  const { completions } = await generator.request('generator.generate', {
    modelPath,
    adapters: [],
    prompts: [{ text: prompt, seeds }],
    sampling,
    threads: 1,
    device: 'CPU',
    ...input,
  })
  return completions[0]!
}

const settings = String.raw`
root ::= "{" space
  "\"augment\":" space boolean "," space
  "\"order\":" space ("\"asIs\"" | "\"shuffled\"" | "\"reversed\"") "," space
  "\"epochs\":" space number "," space
  "\"note\":" space "\"" character{0,12} "\"" space "}"
boolean ::= "true" | "false"
number ::= [1-9] [0-9]{0,2} ("." [0-9]{1,4})?
character ::= [^"\\\x00-\x1F] | "\\" ["\\/bfnrt]
space ::= " "? # at most one
`.replaceAll('\n  ', ' ')
const settingsShape = z.strictObject({
  augment: z.boolean(),
  order: z.enum(['asIs', 'shuffled', 'reversed']),
  epochs: z.number().min(1).lt(1000),
  note: z.string(),
})

for (const [how, chosen] of [
  ['at temperature 1.5', sampling],
  ['with top-p', { ...sampling, topP: 0.9 }],
] as const) {
  test(`two hundred samples of a JSON grammar all parse, ${how}`, async () => {
    const completions = await generate({ seeds: seeds(200), grammar: settings, sampling: chosen })
    for (const { text, finishReason } of completions) {
      expect(finishReason).toBe('end')
      expect(settingsShape.safeParse(JSON.parse(text))).toMatchObject({ success: true })
    }
    expect(new Set(completions.map(({ text }) => text)).size).toBeGreaterThan(150)
  })
}
