/**
 * What a model is told when it is to configure its own training on a puzzle. The test input is not shown. `brief` is for
 * models that know the form by heart, such as selkie-nano-grid; `full` explains the choices and shows the form.
 */
import { gridText, type GridPair } from './grid.ts'
import { outputEnd } from './puzzle-text.ts'

export const configurationStyles = ['brief', 'full'] as const
export type ConfigurationStyle = (typeof configurationStyles)[number]

/** What a model is told, or continues; the configuration is all of its reply. */
export function configurationMessage(
  demonstrations: readonly GridPair[],
  style: ConfigurationStyle = 'full',
): string {
  return style === 'brief' ? briefMessage(demonstrations) : fullMessage(demonstrations)
}

function briefMessage(demonstrations: readonly GridPair[]): string {
  const shown = demonstrations.map(
    ({ input, output }) => `${gridText(input)}>${gridText(output)}${outputEnd}\n`,
  )
  return `${shown.join('')}Training configuration:\n`
}

function fullMessage(demonstrations: readonly GridPair[]): string {
  const shown = demonstrations.map(
    ({ input, output }) => `Input:\n${spacedText(input)}\n\nOutput:\n${spacedText(output)}\n\n`,
  )
  return `${shown.join('')}${instruction}`
}

const spacedText = (grid: readonly (readonly number[])[]): string =>
  grid.map((row) => row.join(' ')).join('\n')

const instruction = `--------
All outputs above follow from their inputs by one rule. You will be trained on these examples for a short while, so that you can solve another input of the same puzzle. Decide how.

Training tasks are made by leaving out one example at a time. These tools make more of them; switch each on or off:
- use_basic_augmentations: rotated, flipped, mirrored, shifted and transposed copies
- use_size_augmentations: copies with every cell enlarged
- use_chain_augmentations: turned copies that are enlarged as well
- use_repeat_augmentations: grids repeated side by side

And these settings say how to train:
- strategy: "train_using_all_tokens" learns inputs and outputs, "train_using_output_tokens" the outputs only
- learning_rate: a positive number; a large one learns fast but may destroy what you know
- num_train_epochs: how often every task is seen, a whole number from 1

Reply with JSON of this form and nothing else, every value chosen by you:
{"data_generation": {"use_basic_augmentations": ..., "use_size_augmentations": ..., "use_chain_augmentations": ..., "use_repeat_augmentations": ...}, "training": {"strategy": ..., "learning_rate": ..., "num_train_epochs": ...}}`
