/** The corpus of selkie-nano-grid: nothing in it shows a held-out rule, and self-edits are drawn evenly. */
import { expect, test } from 'vitest'
import { readConfiguration, type TrainingConfiguration } from '../../src-shared/few-shot/configuration.ts'
import { parseGridText, type GridPair } from '../../src-shared/few-shot/grid.ts'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import { nanoGrid } from '../../scripts/nano-grid/config.ts'
import { epochs, learningRates, stageDocuments, type Document } from '../../scripts/nano-grid/corpus.ts'
import { explains, heldOutFamilies, trainedFamilies } from '../../scripts/nano-grid/families.ts'
import { miniGrids } from '../../scripts/nano-grid/taskset.ts'
import { documentText } from '../../scripts/nano/sequences.ts'

const stages = nanoGrid.phases.flatMap((phase) => phase.stages)
const documents: Document[] = stages.flatMap((stage) => [...stageDocuments(nanoGrid.seed, stage)])
const ofKind = (kind: Document['kind']): Document[] => documents.filter((each) => each.kind === kind)

/** Read back from the text, so that what is checked is what is trained. */
function pairsOf(document: Document): GridPair[] {
  const pairs = documentText(document).matchAll(/^((?:\d+\n)*\d+)>((?:\d+\n)*\d+)#$/gm)
  return Array.from(pairs, ([, input, output]) => ({
    input: parseGridText(input!)!,
    output: parseGridText(output!)!,
  }))
}

test('no puzzle of the corpus follows a held-out rule', () => {
  const shown = documents.filter(({ kind }) => kind !== 'named' && kind !== 'guess') // those show two pairs at most
  expect(shown.length).toBeGreaterThan(20_000)
  const broken = shown.filter((document) => {
    const pairs = pairsOf(document)
    if (pairs.length !== (document.kind === 'self-edit' ? 4 : 5)) throw new Error(documentText(document))
    return heldOutFamilies.some((family) => explains(family, pairs))
  })
  expect(broken.map(documentText)).toEqual([])
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
  expect(configurations.length).toBeGreaterThan(1_000)
  const share = (of: (each: TrainingConfiguration) => boolean): number =>
    configurations.filter(of).length / configurations.length
  const near = (of: (each: TrainingConfiguration) => boolean, expected: number): void =>
    expect(Math.abs(share(of) - expected)).toBeLessThan(0.05)
  for (const family of transformFamilies) near(({ families }) => families.includes(family), 1 / 2)
  near(({ strategy }) => strategy === 'train_using_all_tokens', 1 / 2)
  for (const rate of learningRates)
    near(({ learningRate }) => learningRate === rate, 1 / learningRates.length)
  for (const count of epochs) near((each) => each.epochs === count, 1 / epochs.length)
})
