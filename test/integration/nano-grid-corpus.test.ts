/** The corpus of selkie-nano-grid: nothing in it shows a held-out rule, and self-edits are drawn evenly. */
import { expect, test } from 'vitest'
import { configurationGrammar } from '../../src-shared/few-shot/grammar.ts'
import { readConfiguration, type TrainingConfiguration } from '../../src-shared/few-shot/configuration.ts'
import { parseGridText, type GridPair } from '../../src-shared/few-shot/grid.ts'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import { nanoGrid } from '../../scripts/nano-grid/config.ts'
import { epochs, learningRates, stageDocuments, type Document } from '../../scripts/nano-grid/corpus.ts'
import { explains, heldOutFamilies, trainedFamilies } from '../../scripts/nano-grid/families.ts'
import { miniGrids } from '../../scripts/nano-grid/taskset.ts'
import { documentText } from '../../scripts/nano/sequences.ts'

const everyNth = 10
const stages = nanoGrid.phases.flatMap((phase) => phase.stages)
const documents: Document[] = stages.flatMap((stage) => [
  ...stageDocuments(nanoGrid.seed, { ...stage, documents: Math.ceil(stage.documents / everyNth) }),
])
const ofKind = (kind: Document['kind']): Document[] => documents.filter((each) => each.kind === kind)

/** Read back from the text, so that what is checked is what is trained. */
function pairsOf(document: Document): GridPair[] {
  return Array.from(documentText(document).matchAll(/([\d\n]+)>([\d\n]+)#/g), ([, input, output]) => ({
    input: parseGridText(input!.replace(/^\d*[^\d]*\n/, (line) => (/^\n$/.test(line) ? '' : line)))!,
    output: parseGridText(output!)!,
  }))
}

test('no puzzle of the corpus follows a held-out rule', () => {
  const shown = [...ofKind('puzzle'), ...ofKind('self-edit')]
  expect(shown.length).toBeGreaterThan(3_000)
  for (const document of shown) {
    const pairs = pairsOf(document)
    expect(pairs.length).toBeGreaterThanOrEqual(4)
    expect(pairs.every(({ input, output }) => input !== null && output !== null)).toBe(true)
    const broken = heldOutFamilies.filter((family) => explains(family, pairs)).map(({ name }) => name)
    expect(broken, documentText(document)).toEqual([])
  }
})

test('the check of the corpus finds every held-out rule where it is', () => {
  for (const task of [...miniGrids().test, ...miniGrids().train]) {
    const family = heldOutFamilies.find(({ name }) => name === task.title)!
    expect(explains(family, task.demonstrations), task.id).toBe(true)
  }
})

test('a rule is named for trained families only, all of them about equally often', () => {
  const named = ofKind('named')
  const counts = Map.groupBy(named, ({ family }) => family)
  expect([...counts.keys()].sort()).toEqual(trainedFamilies.map(({ name }) => name).sort())
  const fair = named.length / trainedFamilies.length
  for (const [family, some] of counts) {
    expect(some.length, family).toBeGreaterThan(fair * 0.6)
    expect(some.length, family).toBeLessThan(fair * 1.4)
  }
  for (const { family, spans } of named) {
    const letter = spans[0]!.text[0]
    expect(
      trainedFamilies['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.indexOf(letter!)]?.name,
    ).toBe(family)
  }
})

test('self-edits are configurations, every choice equally often and whatever the puzzle', () => {
  const configurations = ofKind('self-edit').map((document) => {
    const read = readConfiguration(document.spans.at(-1)!.text, { originalNoOps: false })
    if (read.kind !== 'configuration') throw new Error(read.reason)
    return read.configuration
  })
  expect(configurations.length).toBeGreaterThan(150)
  const share = (of: (each: TrainingConfiguration) => boolean): number =>
    configurations.filter(of).length / configurations.length
  for (const family of transformFamilies)
    expect(share(({ families }) => families.includes(family))).toBeCloseTo(1 / 2, 0.9)
  expect(share(({ strategy }) => strategy === 'train_using_all_tokens')).toBeCloseTo(1 / 2, 0.9)
  for (const rate of learningRates)
    expect(
      Math.abs(share(({ learningRate }) => learningRate === rate) - 1 / learningRates.length),
    ).toBeLessThan(0.1)
  for (const count of epochs)
    expect(Math.abs(share((each) => each.epochs === count) - 1 / epochs.length)).toBeLessThan(0.1)
  expect(configurationGrammar({ learningRates, epochs })).toContain('root ::=')
})
