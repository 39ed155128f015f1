/**
 * The corpus of selkie-nano-grid: document n of a seed, always the same. Two kinds: a puzzle, whose outputs after the
 * first are learned, and a self-edit: a puzzle behind the prompt, and a training configuration drawn without looking at it.
 */
import { gridText, type GridPair } from '../../src-shared/few-shot/grid.ts'
import { outputEnd } from '../../src-shared/few-shot/puzzle-text.ts'
import { configurationMessage } from '../../src-shared/few-shot/self-edit-prompt.ts'
import { drawFrom, type Draw } from '../nano/draw.ts'
import type { Span, SpanDocument } from '../nano/pretraining.ts'
import { trainedFamilies, type Family } from './families.ts'
import { drawTrainingPuzzle, type Sides } from './puzzles.ts'

export type Stage = {
  readonly first: number // number of its first document
  readonly documents: number
  readonly families: readonly string[] | 'all'
  readonly sides: readonly { readonly sides: Sides; readonly weight: number }[]
  readonly selfEdits: number // share of the documents
}
export type Document = SpanDocument & { readonly kind: 'puzzle' | 'self-edit'; readonly family: string }

export const learningRates = [0.0003, 0.001, 0.003, 0.01]
export const epochs = [1, 2, 3, 4]
export const strategies = ['train_using_all_tokens', 'train_using_output_tokens'] as const
const pairsPerPuzzle = 5
const demonstrationsPerSelfEdit = 4

export function* stageDocuments(seed: number, stage: Stage): Generator<Document> {
  for (let number = stage.first; number < stage.first + stage.documents; number++)
    yield corpusDocument(seed, number, stage)
}

export function corpusDocument(seed: number, number: number, stage: Stage): Document {
  const draw = drawFrom('nano-grid', seed, number)
  const family = draw.one(familiesOf(stage))
  const sides = drawSides(draw, stage)
  return draw.chance(stage.selfEdits)
    ? selfEdit(draw, family, sides)
    : puzzle(family, drawTrainingPuzzle(draw, family, sides, pairsPerPuzzle))
}

function familiesOf({ families }: Stage): readonly Family[] {
  return families === 'all' ? trainedFamilies : trainedFamilies.filter(({ name }) => families.includes(name))
}

function drawSides(draw: Draw, { sides }: Stage): Sides {
  const index = draw.weighted(Object.fromEntries(sides.map(({ weight }, at) => [String(at), weight])))
  return sides[Number(index)]!.sides
}

function puzzle(family: Family, pairs: readonly GridPair[]): Document {
  const spans = pairs.flatMap(({ input, output }, index): Span[] => [
    { text: `${index === 0 ? '' : '\n'}${gridText(input)}>`, learned: false },
    { text: `${gridText(output)}${outputEnd}`, learned: index > 0 },
  ])
  return { kind: 'puzzle', family: family.name, spans }
}

function selfEdit(draw: Draw, family: Family, sides: Sides): Document {
  const { message, cue } = configurationMessage(
    drawTrainingPuzzle(draw, family, sides, demonstrationsPerSelfEdit),
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
  const flag = (name: string): string => `"use_${name}_augmentations": ${draw.chance(0.5)}`
  const flags = ['basic', 'size', 'chain', 'repeat'].map(flag).join(', ')
  const training = `"strategy": "${draw.one(strategies)}", "learning_rate": ${draw.one(learningRates)}, "num_train_epochs": ${draw.one(epochs)}`
  return `{"data_generation": {${flags}}, "training": {${training}}}`
}
