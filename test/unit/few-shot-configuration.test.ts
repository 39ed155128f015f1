/** The self-edit that configures a training: written, read from what a model says, and held to by a grammar. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  configurationGrid,
  configurationSchema,
  configurationText,
  exceedsSteps,
  readConfiguration,
  trainingStrategies,
  trainingSteps,
  type TrainingConfiguration,
} from '../../src-shared/few-shot/configuration.ts'
import { configurationGrammar } from '../../src-shared/few-shot/grammar.ts'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import { textsOf } from '../fixtures/enumerate-grammar.ts'

const strict = { originalNoOps: false }
const original = { originalNoOps: true, maxSteps: 375, batchSize: 2 }

const sample: TrainingConfiguration = {
  families: ['basic', 'repeat'],
  strategy: 'train_using_output_tokens',
  learningRate: 1e-4,
  epochs: 2,
}
const sampleText =
  '{"data_generation": {"use_basic_augmentations": true, "use_size_augmentations": false, "use_chain_augmentations": false, "use_repeat_augmentations": true}, "training": {"strategy": "train_using_output_tokens", "learning_rate": 1e-4, "num_train_epochs": 2}}'

describe('the text', () => {
  test('is one line in the original’s words', () => {
    expect(configurationText(sample)).toBe(sampleText)
  })

  test('of any configuration reads as that configuration', () => {
    fc.assert(
      fc.property(
        fc.subarray([...transformFamilies]),
        fc.constantFrom(...trainingStrategies),
        fc.double({ min: 0, minExcluded: true, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 1000 }),
        (families, strategy, learningRate, epochs) => {
          const configuration = { families, strategy, learningRate, epochs }
          const read = readConfiguration(configurationText(configuration), strict)
          expect(read).toEqual({ kind: 'configuration', configuration })
        },
      ),
      { seed: 1, numRuns: 1000 },
    )
  })

  test.each([
    ['with fences', `Here it is:\n\`\`\`json\n${sampleText}\n\`\`\`\nGood luck!`],
    ['after a brace that opens nothing', `A set {x, and then ${sampleText}`],
    ['after braces that are no JSON', `{use: basic} ${sampleText}`],
    ['before another object', `${sampleText} {"data_generation": 1}`],
    ['over several lines', JSON.stringify(JSON.parse(sampleText), null, 4)],
    [
      'with further keys',
      sampleText.replace('{', '{"note": "a } in a string \\" {", "__proto__": {"a": 1}, '),
    ],
  ])('is found %s', (_name, text) => {
    expect(readConfiguration(text, strict)).toEqual({ kind: 'configuration', configuration: sample })
  })
})

describe('what cannot be read', () => {
  const changed = (from: string, to: string): string => {
    expect(sampleText).toContain(from)
    return sampleText.replace(from, to)
  }

  test.each([
    ['nothing', '', 'no JSON object'],
    ['prose', 'I would train for {two} epochs.', 'no JSON object'],
    ['a list', '[1, 2]', 'no JSON object'],
    ['half a text', sampleText.slice(0, -3), 'ends before'],
    ['no whole object', sampleText.slice(0, 60), 'ends before'],
    ['NaN', changed('1e-4', 'NaN'), 'data_generation: '],
    ['an empty object', '{}', 'data_generation: '],
    ['a switch that is a word', changed('true', '"true"'), 'data_generation.use_basic_augmentations: '],
    ['a huge learning rate', changed('1e-4', '1e999'), 'training.learning_rate: '],
    ['a learning rate above 1', changed('1e-4', '1.5'), 'training.learning_rate: '],
    ['a negative learning rate', changed('1e-4', '-1e-4'), 'training.learning_rate: '],
    ['no learning at all', changed('1e-4', '0'), 'training.learning_rate: '],
    ['a learning rate as text', changed('1e-4', '"1e-4"'), 'training.learning_rate: '],
    ['half an epoch', changed(': 2}', ': 0.5}'), 'training.num_train_epochs: '],
    ['no epoch', changed(': 2}', ': 0}'), 'training.num_train_epochs: '],
    ['endless epochs', changed(': 2}', ': 1e300}'), 'training.num_train_epochs: '],
  ])('%s', (_name, text, reason) => {
    const expected = { kind: 'unreadable', reason: expect.stringContaining(reason) }
    expect(readConfiguration(text, strict)).toEqual(expected)
    expect(readConfiguration(text, original)).toEqual(expected)
  })

  test.each([
    ['a lacking switch', changed('"use_size_augmentations": false, ', ''), 'data_generation.use_size_aug'],
    ['no switch', changed(/{"use.*?}/.exec(sampleText)![0], '{}'), 'data_generation.use_basic_augmentations'],
    ['a lacking setting', changed(', "num_train_epochs": 2', ''), 'training.num_train_epochs'],
    ['an unknown strategy', changed('train_using_output_tokens', 'train_on_nothing'), 'training.strategy'],
  ])('%s is a training without steps by the original’s rules', (_name, text, place) => {
    const reason = expect.stringContaining(`${place}`)
    expect(readConfiguration(text, strict)).toEqual({ kind: 'unreadable', reason })
    expect(readConfiguration(text, original)).toEqual({ kind: 'no-op', reason })
  })

  test('a lacking part is unreadable by all rules, and so is a part that is inherited', () => {
    const text = '{"__proto__": {"data_generation": {}, "training": {}}}'
    for (const rules of [strict, original]) {
      expect(readConfiguration('{"training": {}}', rules).kind).toBe('unreadable')
      expect(readConfiguration(text, rules).kind).toBe('unreadable')
    }
  })

  test('any text at all gives an answer, soon', () => {
    const rules = { ...original, originalNoOps: false }
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '"', '\\', ':', 'a', ',', '1', ' ') }),
        (text) => {
          const read = readConfiguration(text, rules)
          expect(read.kind).toBe('unreadable')
        },
      ),
      { seed: 1, numRuns: 2000 },
    )
    const begin = performance.now()
    for (const text of ['{'.repeat(1e6), '{"a":'.repeat(2e5), '{}'.slice(0, 1) + '"'.repeat(1e6)]) {
      expect(readConfiguration(text, rules).kind).toBe('unreadable')
    }
    expect(performance.now() - begin).toBeLessThan(5000)
  })
})

test('steps are whole batches over all epochs, and the limit itself is allowed', () => {
  expect(trainingSteps(3, 101, 2)).toBe(151)
  expect(exceedsSteps({ epochs: 3 }, 250, original)).toBe(false) // 375
  expect(exceedsSteps({ epochs: 1 }, 751, original)).toBe(false) // 375.5
  expect(exceedsSteps({ epochs: 1 }, 752, original)).toBe(true) // 376
})

describe('the exhaustive search', () => {
  test('goes through every combination once, the last list fastest', () => {
    const grid = configurationGrid({
      families: [[], ['repeat', 'basic']],
      strategies: trainingStrategies,
      learningRates: [1e-4, 1e-3],
      epochs: [1, 2, 4],
    })
    expect(grid.length).toBe(2 * 2 * 2 * 3)
    expect(new Set(grid.map(configurationText)).size).toBe(24)
    expect(grid.slice(0, 4).map(({ learningRate, epochs }) => [learningRate, epochs])).toEqual([
      [1e-4, 1],
      [1e-4, 2],
      [1e-4, 4],
      [1e-3, 1],
    ])
    expect(grid.at(-1)).toEqual({
      families: ['basic', 'repeat'],
      strategy: 'train_using_output_tokens',
      learningRate: 1e-3,
      epochs: 4,
    })
  })

  test.each([
    [{ learningRates: [0], epochs: [1] }, '0 is no learning rate'],
    [{ learningRates: [1e-3, NaN], epochs: [1] }, 'NaN is no learning rate'],
    [{ learningRates: [1e-3], epochs: [1.5] }, '1.5 is no number of epochs'],
  ])('refuses numbers that cannot be: %j', (numbers, message) => {
    const choices = { families: [[]], strategies: trainingStrategies, ...numbers }
    const refusal = expect.objectContaining({
      code: 'invalid_input',
      message: expect.stringContaining(message),
    })
    expect(() => configurationGrid(choices)).toThrow(refusal)
    expect(() => configurationGrammar(numbers)).toThrow(refusal)
  })
})

describe('the grammar', () => {
  const readAll = (texts: readonly string[]): readonly TrainingConfiguration[] =>
    texts.map((text) => {
      expect(configurationSchema.safeParse(JSON.parse(text)).success, text).toBe(true)
      const read = readConfiguration(text, strict)
      if (read.kind !== 'configuration') return expect.fail(`${text}: ${read.reason}`)
      expect(configurationText(read.configuration)).toBe(text)
      return read.configuration
    })

  test('with choices has every combination of them as a text, and no other', () => {
    const numbers = { learningRates: [1e-5, 2.5e-4, 3e-3, 0.5, 1], epochs: [1, 2, 10] }
    const texts = textsOf(configurationGrammar(numbers))
    const onOff = transformFamilies.reduce<readonly (readonly (typeof transformFamilies)[number][])[]>(
      (sets, family) => sets.flatMap((set) => [set, [...set, family]]),
      [[]],
    )
    const grid = configurationGrid({ families: onOff, strategies: trainingStrategies, ...numbers })
    expect(texts.length).toBe(16 * 2 * 5 * 3)
    expect(readAll(texts).map(configurationText).sort()).toEqual(grid.map(configurationText).sort())
  })

  test('without choices has any number of epochs up to 99 and three digits of a learning rate', () => {
    const grammar = configurationGrammar()
    const rates = textsOf(grammar, 'rate')
    const epochs = textsOf(grammar, 'epochs')
    expect([rates.length, new Set(rates).size]).toEqual([9 * 100 * 9, 9 * 100 * 9])
    expect(epochs.map(Number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 99 }, (_, index) => index + 1),
    )
    expect([Math.min(...rates.map(Number)), Math.max(...rates.map(Number))]).toEqual([1e-9, 0.999])

    // The rules are independent of each other: every number in one text each, and all else with one pair of numbers.
    readAll(rates.map((rate) => sampleText.replace('1e-4', rate)))
    readAll(epochs.map((number) => sampleText.replace(': 2}', `: ${number}}`)))
    const fixed = grammar
      .replace(/^rate ::= .*$/m, 'rate ::= "1e-4"')
      .replace(/^epochs ::= .*$/m, 'epochs ::= "2"')
    const texts = textsOf(fixed)
    expect(texts.length).toBe(32)
    expect(readAll(texts).map(configurationText)).toContain(sampleText)
  })

  test('an empty list of choices is refused', () => {
    expect(() => configurationGrammar({ epochs: [] })).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    )
  })
})
