/** Completions that must follow a grammar, from real llama.cpp in a real child, with the bundled nano model. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import * as z from 'zod'
import type { Completion, GenerateInput, Sampling } from '../../src-shared/compute-protocol.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator } from './compute.ts'

const folder = temporaryFolder()
const modelPath = fileURLToPath(new URL('../../resources/models/selkie-nano.gguf', import.meta.url))
let launches = 0
const generator = startGenerator(() => launches++)

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

for (const [how, count, chosen] of [
  ['at temperature 1.5', 200, sampling],
  ['with top-p', 50, { ...sampling, topP: 0.9 }],
] as const) {
  test(`${count} samples of a JSON grammar all parse, ${how}`, async () => {
    const completions = await generate({ seeds: seeds(count), grammar: settings, sampling: chosen })
    for (const { text, finishReason } of completions) {
      expect(finishReason).toBe('end')
      expect(settingsShape.safeParse(JSON.parse(text))).toMatchObject({ success: true })
    }
    expect(new Set(completions.map(({ text }) => text)).size).toBeGreaterThan(0.75 * count)
  })
}

test('the likeliest text of a grammar is always the same', async () => {
  const greedy = { ...sampling, temperature: 0 }
  const [one, other] = await generate({ seeds: [1, 2], grammar: settings, sampling: greedy })
  expect(settingsShape.safeParse(JSON.parse(one!.text))).toMatchObject({ success: true })
  expect(other).toEqual({ ...one, seed: 2 })
})

test('a seed gives the same text, whatever is decoded beside it', async () => {
  for (const topP of [1, 0.9]) {
    const request = { seeds: seeds(12), grammar: settings, sampling: { ...sampling, topP } }
    const alone = await generate({ ...request, parallel: 1 })
    for (const parallel of [2, 5, 12]) expect(await generate({ ...request, parallel })).toEqual(alone)
    expect(await generate({ ...request, seeds: [7] })).toEqual([alone[7]])
  }
})

test('a grammar that allows any text changes nothing', async () => {
  const chosen = { ...sampling, temperature: 1, maxTokens: 40 }
  const free = await generate({ seeds: seeds(20), sampling: chosen, withPieces: true })
  const any = await generate({ seeds: seeds(20), sampling: chosen, withPieces: true, grammar: 'root ::= .*' })
  expect(any).toEqual(free)
})

test('choices have the probabilities of the model, renormalized over what the grammar allows', async () => {
  const draws = 2000
  const one = { ...sampling, maxTokens: 1 }
  const ask = async (temperature: number, topP: number, count: number, grammar: string) =>
    await generate({
      prompt: 'Who ', // after it the four have a quarter of the mass, so that first choices are kept and refused
      seeds: seeds(count),
      grammar,
      sampling: { ...one, temperature, topP },
    })
  const letters = ['-', 'W', 'M', ':']
  const logProbs: number[] = []
  for (const letter of letters) {
    const [only] = await ask(0, 1, 1, `root ::= "${letter}"`)
    expect(only).toMatchObject({ text: letter, tokens: 1 })
    logProbs.push(only!.logProb)
  }
  for (const [temperature, topP] of [
    [1, 1],
    [2.5, 1],
    [2.5, 0.8],
    [1, 0.8],
  ] as const) {
    const weights = logProbs.map((logProb) => Math.exp(logProb / temperature))
    const total = weights.reduce((sum, weight) => sum + weight)
    const order = [...letters.keys()].toSorted((left, right) => weights[right]! - weights[left]!)
    let mass = 0
    const nucleus = order.filter((index) => {
      const isIn = mass < topP * total
      mass += isIn ? weights[index]! : 0
      return isIn
    })
    const completions = await ask(temperature, topP, draws, String.raw`root ::= [WM:\-]`)
    for (const [index, letter] of letters.entries()) {
      const probability = nucleus.includes(index) ? weights[index]! / mass : 0
      const count = completions.filter(({ text }) => text === letter).length
      const deviation = Math.sqrt(probability * (1 - probability) * draws)
      expect(Math.abs(count - probability * draws)).toBeLessThanOrEqual(4 * deviation)
    }
    for (const { text, logProb } of completions)
      expect(logProb).toBeCloseTo(logProbs[letters.indexOf(text)]!, 9)
  }
})

test('when the grammar is complete only the end can follow; when it may go on, the model decides', async () => {
  const [forced] = await generate({ seeds: [1], grammar: 'root ::= "yes"' })
  expect(forced).toMatchObject({ text: 'yes', finishReason: 'end' })
  const open = await generate({ seeds: seeds(100), grammar: 'root ::= [a-z]{0,40}' })
  const lengths = open.map(({ text }) => text.length)
  expect(Math.min(...lengths)).toBeLessThan(40)
  expect(Math.max(...lengths)).toBeGreaterThan(1)
  for (const { text, finishReason } of open) {
    expect(text).toMatch(/^[a-z]{0,40}$/)
    expect(finishReason).toBe('end')
  }
  const [nothing] = await generate({ seeds: [1], grammar: 'root ::= ""' })
  expect(nothing).toMatchObject({ text: '', tokens: 0, finishReason: 'end' })
})

test('a text that is cut or stopped is the beginning of one that the grammar allows', async () => {
  const [cut] = await generate({
    seeds: [1],
    grammar: 'root ::= "[" [a-z]{100} "]"',
    sampling: { ...sampling, maxTokens: 10 },
  })
  expect(cut).toMatchObject({ tokens: 10, finishReason: 'length', text: expect.stringMatching(/^\[[a-z]+$/) })
  const [stopped] = await generate({
    seeds: [1],
    grammar: 'root ::= "one two three"',
    sampling: { ...sampling, stop: ['two'] },
  })
  expect(stopped).toMatchObject({ text: 'one ', finishReason: 'stop' })
})

test('characters of several tokens are never broken, and control tokens are no text', async () => {
  const [fixed] = await generate({ seeds: [1], grammar: 'root ::= "漢字 👩‍👩‍👧 naïve"' })
  expect(fixed!.text).toBe('漢字 👩‍👩‍👧 naïve')
  const path = join(folder, 'bytes.gguf')
  makeRandomModel(path, { architecture: 'llama', vocabularySize: 354 })
  const request = { modelPath: path, grammar: 'root ::= [ -~]{9}', sampling: { ...sampling, temperature: 2 } }
  for (const { text } of await generate({ ...request, seeds: seeds(100) })) {
    expect(text).toMatch(/^[ -~]{9}$/)
  }
})

const deep = `root ::= ${'('.repeat(20_000)}"a"${')'.repeat(20_000)}`
const wrong: readonly [what: string, grammar: string][] = [
  ['an empty grammar', ''],
  ['a sentence', 'Answer in JSON, please.'],
  ['a grammar without a root', 'start ::= "a"'],
  ['an undefined rule', 'root ::= "a" absent'],
  ['left recursion', 'root ::= root "a" | "b"'],
  ['hidden left recursion', 'root ::= a root "x" | "y"\na ::= e\ne ::= ""'],
  ['a null character', 'root ::= "a\0"'],
  ['a repetition of nothing', 'root ::= "a" ""*'],
  ['nested repetitions', 'root ::= ("a" ("b" ("c" "d"){0,400}){0,400}){0,400}'],
  ['a backward repetition', 'root ::= "a"{5,1}'],
  ['a deep grammar', deep],
  ['a megabyte', `root ::= "${'a'.repeat(2 ** 20)}"`],
  ['a range of nothing', 'root ::= "a" [z-a]'],
]
for (const [what, grammar] of wrong) {
  test(`${what} is refused, and the process answers the next request`, async () => {
    await expect(generate({ seeds: [1], grammar })).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringMatching(/grammar.*\./),
    })
    expect(await generate({ seeds: [1], grammar: 'root ::= "yes"' })).toMatchObject([{ text: 'yes' }])
    expect(launches).toBe(1)
  })
}

/** Rules use only those after them: a recursion with many readings of the same text can take llama.cpp for ever. */
const items: readonly (readonly string[])[] = [
  ['a', 'b', '(a | "x")*', '("y" b)?', 'a{2,3}', '|', '"é"', '""'],
  ['b', '(b | "x")+', '"x y"', 'b?', '|', '[^a-z]', '""*'],
  ['"x"', '"y z"?', '[a-c]{0,5}', '.', '|', '("漢" | "字")+', 'absent'],
]

test('random grammars are either followed or refused', async () => {
  const outcomes = new Map<string, number>()
  for (let seed = 0; seed < 600; seed++) {
    const draw = uniformFloat('random grammar', seed)
    const rule = (choices: readonly string[]): string =>
      Array.from({ length: 1 + 5 * draw() }, () => choices[Math.floor(draw() * choices.length)]!).join(' ')
    const grammar = items.map((each, index) => `${['root', 'a', 'b'][index]} ::= ${rule(each)}`).join('\n')
    const outcome = await generate({ seeds: [seed], grammar, sampling: { ...sampling, maxTokens: 8 } }).then(
      ([completion]) => completion!.finishReason,
      (error: unknown) => (error as { readonly code: string }).code,
    )
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  expect([...outcomes.keys()].toSorted()).toEqual(['end', 'invalid_input', 'length'])
  for (const count of outcomes.values()) expect(count).toBeGreaterThan(20)
  expect(launches).toBe(1)
})
