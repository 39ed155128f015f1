/**
 * The corpus of selkie-nano-grid: document n of a seed, always the same. Four kinds: a rule by its name and what it
 * makes; a puzzle, whose outputs after the first are learned; the same with the name of its rule in between; and a
 * self-edit: a puzzle behind the prompt, then a training configuration drawn without looking at it.
 */
import { configurationText, trainingStrategies } from '../../src-shared/few-shot/configuration.ts'
import { gridText, type GridPair } from '../../src-shared/few-shot/grid.ts'
import { outputEnd } from '../../src-shared/few-shot/puzzle-text.ts'
import { configurationMessage } from '../../src-shared/few-shot/self-edit-prompt.ts'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import { drawFrom, type Draw } from '../nano/draw.ts'
import type { Span, SpanDocument } from '../nano/sequences.ts'
import { trainedFamilies, type Family } from './families.ts'
import { drawSides, drawTrainingPuzzle, type Sides, type WeightedSides } from './puzzles.ts'

export type Stage = {
  readonly first: number // number of its first document
  readonly documents: number
  readonly sides: readonly WeightedSides[]
  readonly kinds: Readonly<Record<DocumentKind, number>> // shares of the documents
}
export type DocumentKind = 'named' | 'explained' | 'puzzle' | 'self-edit'
export type Document = SpanDocument & { readonly kind: DocumentKind; readonly family: string }

export const learningRates = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
export const epochs = [1, 2, 3, 4]
const pairsPerPuzzle = 5
const demonstrationsPerSelfEdit = 4

export function* stageDocuments(seed: number, stage: Stage): Generator<Document> {
  for (let number = stage.first; number < stage.first + stage.documents; number++)
    yield corpusDocument(seed, number, stage)
}

export function corpusDocument(seed: number, number: number, stage: Stage): Document {
  const draw = drawFrom('nano-grid', seed, number)
  const family = draw.one(trainedFamilies)
  const sides = drawSides(draw, stage.sides)
  switch (draw.weighted(stage.kinds)) {
    case 'named':
      return named(draw, family, sides)
    case 'explained':
      return explained(draw, family, sides)
    case 'puzzle':
      return puzzle(family, drawTrainingPuzzle(draw, family, sides, pairsPerPuzzle).pairs)
    case 'self-edit':
      return selfEdit(draw, family, sides)
  }
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The rule's letter and colours, then a pair or two: applying a rule is learned before finding it out. */
function named(draw: Draw, family: Family, sides: Sides): Document {
  const { pairs, parameters } = drawTrainingPuzzle(draw, family, sides, pairsPerPuzzle)
  const name = { text: `${nameOf(family, parameters)}\n`, learned: false }
  return {
    kind: 'named',
    family: family.name,
    spans: [name, ...pairSpans(pairs.slice(0, draw.integer(1, 2)), 0)],
  }
}

/** A puzzle in which, after some pairs, the name of its rule is to be written: finding it out is learned by itself. */
function explained(draw: Draw, family: Family, sides: Sides): Document {
  const { pairs, parameters } = drawTrainingPuzzle(draw, family, sides, pairsPerPuzzle)
  const shown = draw.integer(1, pairsPerPuzzle - 1)
  return {
    kind: 'explained',
    family: family.name,
    spans: [
      ...pairSpans(pairs.slice(0, shown), 1),
      { text: '\n', learned: false },
      { text: nameOf(family, parameters), learned: true },
      { text: '\n', learned: false },
      ...pairSpans(pairs.slice(shown), 0),
    ],
  }
}

const nameOf = (family: Family, parameters: readonly number[]): string =>
  `${letters[trainedFamilies.indexOf(family)]!}${parameters.join('')}`

function puzzle(family: Family, pairs: readonly GridPair[]): Document {
  return { kind: 'puzzle', family: family.name, spans: pairSpans(pairs, 1) }
}

/** Outputs from the pair `from` on are learned. */
function pairSpans(pairs: readonly GridPair[], from: number): Span[] {
  return pairs.flatMap(({ input, output }, index) => [
    { text: `${index === 0 ? '' : '\n'}${gridText(input)}>`, learned: false },
    { text: `${gridText(output)}${outputEnd}`, learned: index >= from },
  ])
}

function selfEdit(draw: Draw, family: Family, sides: Sides): Document {
  const { message, cue } = configurationMessage(
    drawTrainingPuzzle(draw, family, sides, demonstrationsPerSelfEdit).pairs,
    'brief',
  )
  return {
    kind: 'self-edit',
    family: family.name,
    spans: [
      { text: message + cue, learned: false },
      { text: drawConfiguration(draw), learned: true },
    ],
  }
}

/** Every choice equally often, whatever the others are. */
export function drawConfiguration(draw: Draw): string {
  return configurationText({
    families: transformFamilies.filter(() => draw.chance(0.5)),
    strategy: draw.one(trainingStrategies),
    learningRate: draw.one(learningRates),
    epochs: draw.one(epochs),
  })
}
