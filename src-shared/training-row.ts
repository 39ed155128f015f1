/** One line of a JSON-lines file of training texts: a text, or a prompt with the completion that is to be learned. */
import * as z from 'zod'

const notBlank = z.string().refine((text) => text.trim() !== '', 'must not be empty')

export const trainingRow = z.union([
  z.strictObject({ text: notBlank }),
  z.strictObject({ prompt: z.string(), completion: notBlank }),
])
export type TrainingRow = z.infer<typeof trainingRow>

/** All that a row is trained on, as one text. */
export const rowText = (row: TrainingRow): string => ('text' in row ? row.text : row.prompt + row.completion)
