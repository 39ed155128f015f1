/**
 * The corpus of selkie-nano-grid: document n of a seed, always the same. Rules have names, a letter and the colours of
 * the rule, which only the training knows: applying a rule and finding it out are learned apart before they are
 * learned together. Kinds of documents: a name and what its rule makes (`named`); pairs and the name of their rule
 * (`guess`); a puzzle with the name of its rule in between (`explained`); a puzzle, whose outputs after the first are
 * learned; and a puzzle behind the self-edit prompt, then a training configuration drawn without looking at it.
 */
import { configurationText, trainingStrategies } from '../../src-shared/few-shot/configuration.ts'
import { gridText, type GridPair } from '../../src-shared/few-shot/grid.ts'
import { outputEnd } from '../../src-shared/few-shot/puzzle-text.ts'
import { configurationMessage } from '../../src-shared/few-shot/self-edit-prompt.ts'
import { transformFamilies } from '../../src-shared/few-shot/transforms.ts'
import { drawFrom, type Draw } from '../nano/draw.ts'
import type { Span, SpanDocument } from '../nano/sequences.ts'
import { trainedFamilies, type Family } from './families.ts'
import { drawSides, drawTrainingPuzzle, type Palette, type Puzzle, type WeightedSides } from './puzzles.ts'

export type Stage = {
  readonly first: number // number of its first document
  readonly documents: number
  readonly sides: readonly WeightedSides[]
  readonly palette: Palette
  readonly kinds: Readonly<Record<DocumentKind, number>> // shares of the documents
}
export type DocumentKind = 'named' | 'guess' | 'explained' | 'puzzle' | 'self-edit'
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
  const kind = draw.weighted(stage.kinds)
  const count = kind === 'self-edit' ? demonstrationsPerSelfEdit : pairsPerPuzzle
  const puzzle = drawTrainingPuzzle(draw, family, sides, stage.palette, count)
  return { kind, family: family.name, spans: spansOf[kind](draw, puzzle, nameOf(family, puzzle)) }
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const nameOf = (family: Family, { parameters }: Puzzle): string =>
  `${letters[trainedFamilies.indexOf(family)]!}${parameters.join('')}`

const spansOf: Readonly<Record<DocumentKind, (draw: Draw, puzzle: Puzzle, name: string) => Span[]>> = {
  named: (draw, { pairs }, name) => [
    { text: `${name}\n`, learned: false },
    ...pairSpans(pairs.slice(0, draw.integer(1, 2)), 0),
  ],
  guess: (draw, { pairs }, name) => [
    ...pairSpans(pairs.slice(0, draw.integer(1, 2)), 1),
    { text: '\n', learned: false },
    { text: name, learned: true },
  ],
  explained: (draw, { pairs }, name) => {
    const shown = draw.integer(1, pairsPerPuzzle - 1)
    return [
      ...pairSpans(pairs.slice(0, shown), 1),
      { text: '\n', learned: false },
      { text: name, learned: true },
      { text: '\n', learned: false },
      ...pairSpans(pairs.slice(shown), 0),
    ]
  },
  puzzle: (_, { pairs }) => pairSpans(pairs, 1),
  'self-edit': (draw, { pairs }) => {
    const message = configurationMessage(pairs, 'brief')
    return [
      { text: message, learned: false },
      { text: drawConfiguration(draw), learned: true },
    ]
  },
}

/** Outputs from the pair `from` on are learned. */
function pairSpans(pairs: readonly GridPair[], from: number): Span[] {
  return pairs.flatMap(({ input, output }, index) => [
    { text: `${index === 0 ? '' : '\n'}${gridText(input)}>`, learned: false },
    { text: `${gridText(output)}${outputEnd}`, learned: index >= from },
  ])
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
