/**
 * The self-edit about a few-shot task: a configuration of the model's own training, written as JSON. What a model
 * writes is untrusted, so reading never throws. Unlike the original, an unusable text is not a training without steps
 * unless that is asked for.
 */
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { transformFamilies, type TransformFamily } from './transforms.ts'

export const trainingStrategies = ['train_using_all_tokens', 'train_using_output_tokens'] as const
export type TrainingStrategy = (typeof trainingStrategies)[number]

export type TrainingConfiguration = {
  readonly families: readonly TransformFamily[] // that are on, in the order of `transformFamilies`
  readonly strategy: TrainingStrategy
  readonly learningRate: number // above 0, at most 1
  readonly epochs: number // at least 1
}

/** The JSON, in the original's own words. Further keys are ignored. */
export const configurationSchema = z.object({
  data_generation: z.object({
    use_basic_augmentations: z.boolean(),
    use_size_augmentations: z.boolean(),
    use_chain_augmentations: z.boolean(),
    use_repeat_augmentations: z.boolean(),
  }),
  training: z.object({
    strategy: z.enum(trainingStrategies),
    learning_rate: z.number().positive().max(1),
    num_train_epochs: z.int().min(1),
  }),
})

export type ConfigurationRules = {
  /** As the original: what lacks a switch or a training setting, or names another strategy, trains nothing. */
  readonly originalNoOps: boolean
  readonly maxSteps: number // the original's: 375
  readonly batchSize: number // the original's: 2
}

export type ReadConfiguration =
  | { readonly kind: 'configuration'; readonly configuration: TrainingConfiguration }
  | { readonly kind: 'no-op'; readonly reason: string }
  | { readonly kind: 'unreadable'; readonly reason: string }

/**
 * The canonical form, the one that the grammar writes: a single line, keys in the schema's order, the learning rate as
 * `2.5e-3` (the shortest digits that give the same number back).
 */
export function configurationText({
  families,
  strategy,
  learningRate,
  epochs,
}: TrainingConfiguration): string {
  const switches = transformFamilies.map((family) => `"${switchOf(family)}": ${families.includes(family)}`)
  const rate = learningRateText(learningRate)
  return `{"data_generation": {${switches.join(', ')}}, "training": {"strategy": "${strategy}", "learning_rate": ${rate}, "num_train_epochs": ${epochs}}}`
}

export const switchOf = (family: TransformFamily) => `use_${family}_augmentations` as const

export const learningRateText = (rate: number): string => rate.toExponential()

/**
 * Reads the first JSON object in a model's text, whatever stands around it. Reasons are sentences that name the place,
 * e.g. `training.learning_rate: ...`. Whether it trains too many steps is not known here: see `exceedsSteps`.
 */
export function readConfiguration(
  text: string,
  { originalNoOps }: Pick<ConfigurationRules, 'originalNoOps'>,
): ReadConfiguration {
  const object = firstObject(text)
  const read = object && configurationSchema.safeParse(object)
  if (read?.success) return { kind: 'configuration', configuration: fromJson(read.data) }
  const start = text.indexOf('{')
  if (start >= 0 && endOfObject(text, start) === null)
    return { kind: 'unreadable', reason: 'The text ends before its JSON object does.' }
  if (!read) return { kind: 'unreadable', reason: 'There is no JSON object in the text.' }
  const issues = read.error.issues
  const reason = issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
  const noOp = originalNoOps && issues.every(({ path }) => isNoOp(object, path))
  return { kind: noOp ? 'no-op' : 'unreadable', reason }
}

/** Training steps as the original counts them: whole batches only, over all epochs together. */
export function trainingSteps(epochs: number, tasks: number, batchSize: number): number {
  return Math.floor((epochs * tasks) / batchSize)
}

/** Whether training on so many tasks takes more steps than the rules allow. */
export function exceedsSteps(
  { epochs }: Pick<TrainingConfiguration, 'epochs'>,
  tasks: number,
  { maxSteps, batchSize }: Pick<ConfigurationRules, 'maxSteps' | 'batchSize'>,
): boolean {
  return trainingSteps(epochs, tasks, batchSize) > maxSteps
}

/**
 * Every combination, for an exhaustive search; the last list changes fastest. Throws `invalid_input` for a number that
 * no configuration can have.
 */
export function configurationGrid(choices: {
  readonly families: readonly (readonly TransformFamily[])[]
  readonly strategies: readonly TrainingStrategy[]
  readonly learningRates: readonly number[]
  readonly epochs: readonly number[]
}): readonly TrainingConfiguration[] {
  checkNumbers(choices)
  return choices.families.flatMap((on) =>
    choices.strategies.flatMap((strategy) =>
      choices.learningRates.flatMap((learningRate) =>
        choices.epochs.map((epochs) => ({ families: inOrder(on), strategy, learningRate, epochs })),
      ),
    ),
  )
}

/** Throws `invalid_input` for a learning rate or a number of epochs that `configurationSchema` refuses. */
export function checkNumbers(choices: {
  readonly learningRates?: readonly number[]
  readonly epochs?: readonly number[]
}): void {
  const { learning_rate, num_train_epochs } = configurationSchema.shape.training.shape
  const rate = choices.learningRates?.find((value) => !learning_rate.safeParse(value).success)
  if (rate !== undefined) {
    throw new AppError(
      'invalid_input',
      `${rate} is no learning rate. Choose numbers above 0 and at most 1, e.g. 1e-4.`,
    )
  }
  const epochs = choices.epochs?.find((value) => !num_train_epochs.safeParse(value).success)
  if (epochs !== undefined) {
    throw new AppError('invalid_input', `${epochs} is no number of epochs. Choose whole numbers from 1 on.`)
  }
}

function fromJson({ data_generation, training }: z.infer<typeof configurationSchema>): TrainingConfiguration {
  return {
    families: transformFamilies.filter((family) => data_generation[switchOf(family)]),
    strategy: training.strategy,
    learningRate: training.learning_rate,
    epochs: training.num_train_epochs,
  }
}

const inOrder = (families: readonly TransformFamily[]): readonly TransformFamily[] =>
  transformFamilies.filter((family) => families.includes(family))

/** What the original turns into a training without steps: a lacking key inside one of the two parts, another strategy. */
function isNoOp(object: object, path: readonly PropertyKey[]): boolean {
  const [part, key] = path
  if (part === undefined || key === undefined) return false
  if (part === 'training' && key === 'strategy') return true
  const inside: unknown = Object.getOwnPropertyDescriptor(object, part)?.value
  return typeof inside === 'object' && inside !== null && !Object.hasOwn(inside, key)
}

const maxOpenings = 20

/** The first `{...}` that is JSON. Only so many openings are tried, for a text of nothing but braces. */
function firstObject(text: string): object | null {
  let start = text.indexOf('{')
  for (let tried = 0; start >= 0 && tried < maxOpenings; tried++) {
    const end = endOfObject(text, start)
    if (end !== null) {
      const object = parsedObject(text.slice(start, end))
      if (object !== null) return object
    }
    start = text.indexOf('{', start + 1)
  }
  return null
}

/** The index after the brace that closes the one at `start`; braces in strings do not count. */
function endOfObject(text: string, start: number): number | null {
  let depth = 0
  let inString = false
  for (let index = start; index < text.length; index++) {
    const character = text[index]
    if (inString && character === '\\') index++
    else if (character === '"') inString = !inString
    else if (!inString && character === '{') depth++
    else if (!inString && character === '}' && --depth === 0) return index + 1
  }
  return null
}

function parsedObject(text: string): object | null {
  try {
    return JSON.parse(text) as object // an object, for it begins with a brace
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
