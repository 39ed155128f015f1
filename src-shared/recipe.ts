/**
 * A recipe: all that decides one run of the loop, as a schema whose descriptions are the documentation. Here its fields
 * are in camelCase; files spell them in kebab-case (recipe-fields.ts maps the two, src-core/recipes reads files).
 */
import * as z from 'zod'
import { defaultLora, defaultOptimizer, defaultSeed } from './api/defaults.ts'
import { targetModules } from './compute-protocol.ts'
import { twoAttempts } from './few-shot/attempts.ts'
import { trainingStrategies } from './few-shot/configuration.ts'
import { puzzleTexts } from './few-shot/puzzle-text.ts'
import { copyColours } from './few-shot/training-tasks.ts'
import { transformFamilies, transforms } from './few-shot/transforms.ts'
import { originalViews } from './few-shot/views.ts'
import { selfEditPromptKeys } from './self-edit-prompts.ts'

export const tasksetFormats = [
  'bundled',
  'selkie',
  'squad',
  'seal',
  'folder',
  'grid-puzzles',
  'auto',
] as const
export const promptStyles = ['completion', 'chat-instruct'] as const
export const rewards = ['accuracy', 'gain', 'improvement', 'solved'] as const
export const adaptersToKeep = ['none', 'selected', 'all'] as const
export const evaluationArms = [
  'frozen',
  'bare-passage',
  'untrained',
  'each-round',
  'passage-in-prompt',
  'equal-steps',
  'equal-tokens',
  'gold-answers',
  'fixed-prompts',
  'retrieval',
  'shuffled-reward',
  'teacher',
  'fixed-configuration',
  'exhaustive',
] as const
/** Arms that need a passage, and those that need a puzzle. */
const passageArms: ReadonlySet<string> = new Set([
  ...['bare-passage', 'passage-in-prompt', 'equal-steps', 'equal-tokens', 'gold-answers'],
  ...['fixed-prompts', 'retrieval'],
])
const fewShotArms: ReadonlySet<string> = new Set(['fixed-configuration', 'exhaustive'])

const text = z.string().min(1, 'must not be empty')
const count = z.int().min(1, 'must be at least 1')
const countOrZero = z.int().min(0, 'must not be negative')
const positive = z.number().gt(0, 'must be above 0')
const notNegative = z.number().min(0, 'must not be negative')
const share = positive.max(1, 'must be at most 1')
const belowOne = notNegative.lt(1, 'must be below 1')

const lora = z.strictObject({
  loraRank: count.describe('The rank of the adapter: how many directions of change it has per matrix.'),
  loraAlpha: positive.describe('The adapter is scaled by alpha / rank.'),
  rsLora: z.boolean().default(defaultLora.rsLora).describe('Scale by alpha / √rank instead.'),
  dropout: belowOne
    .default(defaultLora.dropout)
    .describe("Share of the adapter's inputs that are dropped at random while training."),
  targetModules: z
    .array(z.enum(targetModules))
    .min(1, 'must name at least one module')
    .readonly()
    .default(defaultLora.targetModules)
    .describe('The matrices of every layer that are adapted.'),
})

const optimizer = z.strictObject({
  learningRate: positive.describe('The highest learning rate.'),
  epochs: count.describe('Passes over the training sequences.'),
  batchSize: count.default(defaultOptimizer.batchSize).describe('Training sequences per optimizer step.'),
  schedule: z
    .enum(['constant', 'linear', 'cosine'])
    .default(defaultOptimizer.schedule)
    .describe('How the learning rate goes on after the warm-up; linear and cosine end at 0.'),
  warmupSteps: countOrZero
    .default(defaultOptimizer.warmupSteps)
    .describe('Steps over which the learning rate rises from 0.'),
  weightDecay: notNegative
    .default(defaultOptimizer.weightDecay)
    .describe("AdamW's weight decay, per unit of learning rate."),
  maxGradientNorm: notNegative
    .default(defaultOptimizer.maxGradientNorm)
    .describe('A longer gradient is shortened to this; 0 leaves all as they are.'),
  beta1: belowOne.default(defaultOptimizer.beta1).describe('How slowly the mean of the gradients changes.'),
  beta2: belowOne.default(defaultOptimizer.beta2).describe('How slowly the mean of their squares changes.'),
  epsilon: positive
    .default(defaultOptimizer.epsilon)
    .describe('Added to the divisor of an update, against division by 0.'),
  maxTokensPerMicroBatch: count
    .default(defaultOptimizer.maxTokensPerMicroBatch)
    .describe(
      'Tokens computed at once; a larger batch is split, which takes less memory and gives the same.',
    ),
})

const splits = z
  .strictObject({
    train: notNegative.describe('Tasks of the training split.'),
    validation: notNegative.describe('Tasks of the validation split.'),
    test: notNegative.describe('Tasks of the test split.'),
  })
  .refine(
    (sizes) => isCounts(Object.values(sizes)) || isShares(Object.values(sizes)),
    'must be three whole numbers of tasks, or three shares that add up to at most 1',
  )

const isCounts = (sizes: readonly number[]): boolean => sizes.every(Number.isInteger)
const isShares = (sizes: readonly number[]): boolean => sizes.reduce((sum, size) => sum + size, 0) <= 1 + 1e-9 // 0.7 + 0.2 + 0.1 is a little more than 1

const taskset = z.strictObject({
  format: z
    .enum(tasksetFormats)
    .describe(
      'What the path leads to: a taskset that ships with Selkie, files of a known form, or "auto" to find out.',
    ),
  path: text.describe('A file or folder, seen from the folder of the recipe; of a bundled taskset the name.'),
  splits: z
    .exactOptional(splits)
    .describe('For files without splits: how many tasks go into each, as numbers or as shares.'),
})

const selfEdit = z.strictObject({
  prompts: z
    .array(z.enum(selfEditPromptKeys))
    .min(1, 'must name at least one prompt')
    .readonly()
    .describe('What asks for a self-edit. The candidates of a group take several prompts in turn.'),
  groupSize: count.describe('Candidates sampled per task.'),
  temperature: notNegative.default(1).describe('Sampling temperature; 0 always takes the likeliest token.'),
  topP: share.default(0.95).describe('Only the likeliest tokens that make up this share are sampled.'),
  maxTokens: count.describe('A self-edit ends here at the latest.'),
  promptStyle: z
    .enum(promptStyles)
    .default('completion')
    .describe("The prompt as text to continue, or as a turn in the model's own chat format."),
})

const innerLoop = z.strictObject({
  trials: count.describe(
    'Adapters trained per candidate, each from its own seed; their rewards are averaged.',
  ),
  splitNewlines: z
    .boolean()
    .default(true)
    .describe('Every line of a self-edit is a training sequence of its own.'),
  includePassage: z.boolean().default(true).describe('The passage itself is a training sequence, too.'),
  keepAdapters: z
    .enum(adaptersToKeep)
    .default('selected')
    .describe(
      'Which trial adapters stay in the store, one per candidate at the most: none; those of the candidates that the policy learns from, with "top-fraction" of all that it chooses among; or all, those of the evaluation as well. Only what stays can be compared, asked and exported.',
    ),
  sealFaithfulPadTo: z
    .exactOptional(z.int().min(2, 'must be at least 2'))
    .describe(
      "Reproduces the original's loss: sequences are padded with end tokens to this length, which is learned, too.",
    ),
  lora,
  optimizer,
})

const families = z
  .array(z.enum(transformFamilies))
  .readonly()
  .refine((names) => new Set(names).size === names.length, 'must not name a family twice')
const learningRates = z.array(positive).min(1, 'must name at least one learning rate').readonly()
const epochs = z.array(count).min(1, 'must name at least one number of epochs').readonly()

const fewShot = z.strictObject({
  text: z
    .enum(puzzleTexts)
    .default('numpy')
    .describe('How grids are written for the model: as NumPy prints arrays, or as bare rows of digits.'),
  leaveOut: z
    .array(z.union([z.literal(1), z.literal(2)]))
    .min(1, 'must name at least one number')
    .readonly()
    .default([1, 2])
    .describe(
      'Training tasks are made of the demonstrations: each in turn is the test, and so many in all are left out.',
    ),
  maxTasks: count.default(250).describe('Training tasks of one trial; of more, so many are drawn.'),
  maxTokens: count.default(8192).describe('A longer training task is left out.'),
  copies: countOrZero
    .default(1)
    .describe('Copies of every training task in other colours and another order of the demonstrations.'),
  copyColours: z
    .enum(copyColours)
    .default('with-augmentations')
    .describe(
      "Whether copies always have other colours, or as the original's only if an augmentation is on.",
    ),
  maxSteps: count
    .default(375)
    .describe('A self-edit that comes to more optimizer steps is not carried out: nothing is trained.'),
  originalRules: z
    .boolean()
    .default(false)
    .describe(
      "The original's rules for incomplete self-edits: nothing is trained, instead of reading what is there with care.",
    ),
  leaveOneOut: z
    .boolean()
    .default(originalViews.leaveOneOut)
    .describe('The model sees the test input beside all demonstrations but one, each left out in turn.'),
  permutations: countOrZero
    .default(originalViews.permutations)
    .describe('Further views of a test input with other colours and another order of the demonstrations.'),
  viewTransforms: z
    .array(z.enum(transforms.map(({ name }) => name)))
    .readonly()
    .default(originalViews.transforms)
    .describe('Views of a test input that are turned or mirrored; the prediction is turned back.'),
  families: families
    .default([...transformFamilies])
    .describe('Augmentations of the arm "fixed-configuration"; inner-loop.optimizer has its other settings.'),
  strategy: z
    .enum(trainingStrategies)
    .default('train_using_output_tokens')
    .describe('What is in the loss of the arm "fixed-configuration".'),
  learningRates: z
    .exactOptional(learningRates)
    .describe('What a self-edit may choose from; if left out, any learning rate.'),
  epochs: z
    .exactOptional(epochs)
    .describe('What a self-edit may choose from; if left out, any number of epochs.'),
  search: z
    .exactOptional(
      z.strictObject({
        families: z
          .array(families)
          .min(1, 'must name at least one set of families')
          .readonly()
          .describe('Sets of augmentations.'),
        strategies: z
          .array(z.enum(trainingStrategies))
          .min(1, 'must name at least one strategy')
          .readonly()
          .describe('What is in the loss.'),
        learningRates: learningRates.describe('Learning rates.'),
        epochs: epochs.describe('Epochs.'),
      }),
    )
    .describe('The arm "exhaustive" tries every combination of these on every held-out puzzle.'),
})

const endpoint = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'must be a web address, e.g. "http://localhost:8080/v1"' })
    .describe('Base address of an OpenAI-compatible server, up to /v1.'),
  model: text.describe('The name of the judge there.'),
  apiKeyVariable: z
    .exactOptional(
      z.string().regex(/^[A-Za-z_]\w*$/, 'must be the name of an environment variable, not the key itself'),
    )
    .describe('The environment variable that holds the key. The key itself is never stored.'),
  timeoutMs: count.default(60_000).describe('Milliseconds after which a call has failed.'),
  retries: countOrZero.default(3).describe('How often a failed call is tried again.'),
  concurrency: count.default(4).describe('Calls at the same time.'),
  pricePerMillionInputTokens: z
    .exactOptional(notNegative)
    .describe("The provider's price for what is sent, to count the cost."),
  pricePerMillionOutputTokens: z
    .exactOptional(notNegative)
    .describe("The provider's price for what comes back, to count the cost."),
})

const grader = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('exact') }),
    z.strictObject({ type: z.literal(twoAttempts) }),
    z.strictObject({
      type: z.literal('f1'),
      threshold: share.describe('Answers whose token F1 reaches this are correct.'),
    }),
    z
      .strictObject({
        type: z.literal('judge'),
        endpoint: z.exactOptional(endpoint).describe('A judge behind an OpenAI-compatible interface.'),
        modelPath: z
          .exactOptional(text)
          .describe('A judge on this machine: a GGUF file, or a name in the model catalogue.'),
      })
      .refine(
        (judge) => (judge.endpoint === undefined) !== (judge.modelPath === undefined),
        'needs either an endpoint or a model-path, which say where the judge is',
      ),
  ])
  .describe(
    'Who decides whether an answer is correct: equality after normalisation, one of two attempted grids being equal, shared words, or a judge model.',
  )

const selection = z
  .discriminatedUnion('rule', [
    z.strictObject({ rule: z.literal('best-of-group') }),
    z.strictObject({ rule: z.literal('above-baseline') }),
    z.strictObject({ rule: z.literal('all-rewarded') }),
    z.strictObject({
      rule: z.literal('top-fraction'),
      fraction: share.describe('Share of all candidates of a round that is kept.'),
    }),
  ])
  .describe(
    'Which candidates the policy learns from: the best of every group, all that beat the baseline, all with a reward above 0, or the best of all.',
  )

const outerLoop = z.strictObject({
  rounds: countOrZero.describe('How often the policy learns from its best self-edits; 0 only evaluates.'),
  tasksPerRound: count.describe('Training tasks of one round.'),
  distinctTasks: z.boolean().default(true).describe('No task comes back in a later round.'),
  lora,
  optimizer,
})

const evaluation = z
  .strictObject({
    split: z
      .enum(['validation', 'test'])
      .describe('Tasks to evaluate on. Choose on validation, report on test.'),
    tasks: count.describe('How many of them.'),
    samples: count.default(1).describe('Self-edits per task.'),
    trials: count.default(1).describe('Adapters trained per self-edit.'),
    arms: z
      .array(z.enum(evaluationArms))
      .min(1, 'must name at least one arm')
      .readonly()
      .describe(
        'What is compared: no training, training on the passage alone, self-edits of the untrained policy, those of the policy after each round, the passage put into the prompt. Controls: the passage repeated for as many steps or as much text as the self-edits of the untrained policy, the questions with their answers, self-edits of several fixed prompts together, the passage that a search finds put into the prompt, a policy that learned from rewards dealt out at random, the self-edits of a teacher. With few-shot puzzles: one fixed configuration, and every configuration that few-shot.search names.',
      ),
    teacher: z
      .exactOptional(endpoint)
      .describe('Who writes the self-edits of the arm "teacher", behind an OpenAI-compatible interface.'),
  })
  .refine(
    ({ arms }) =>
      arms.includes('untrained') || !(arms.includes('equal-steps') || arms.includes('equal-tokens')),
    {
      path: ['arms'],
      message: 'must have "untrained" for "equal-steps" and "equal-tokens", which follow it',
    },
  )
  .refine(({ arms, teacher }) => arms.includes('teacher') === (teacher !== undefined), {
    path: ['teacher'],
    message: 'must say where the teacher is if "teacher" is one of the arms, and only then',
  })

const compute = z.strictObject({
  threads: z
    .exactOptional(count)
    .describe('Threads to compute with; if left out, as many as there are cores.'),
  device: z
    .exactOptional(text)
    .describe('Where to compute, as `selkie doctor` names it; if left out, the best.'),
  adaptersAtOnce: count.default(1).describe('Trial adapters trained together in one graph.'),
  pairs: count
    .default(1)
    .describe(
      'Trials tried side by side on the CPU, each by processes of its own with its share of the threads; never more than there are threads. For models too small to keep several threads busy.',
    ),
  parallel: count.default(16).describe('Texts generated together.'),
  contextSize: z
    .exactOptional(count)
    .describe('Tokens of a prompt with its completion; if left out, what they need.'),
})

export const recipeSchema = z
  .strictObject({
    name: text.describe('What runs of this recipe are called.'),
    description: text.describe('One sentence about what it is for.'),
    seed: z
      .int()
      .min(0, 'must not be negative')
      .max(0xffff_ffff, 'must be below 2^32')
      .default(defaultSeed)
      .describe('Every random choice of a run follows from it.'),
    model: text.describe(
      'The base model: "selkie-nano", which ships with Selkie, the path of a GGUF file, or a name in the model catalogue.',
    ),
    taskset: taskset.describe('What the model reads, and what it is asked.'),
    selfEdit: selfEdit.describe('How self-edits are asked for and sampled.'),
    fewShot: z
      .exactOptional(fewShot)
      .describe('For puzzles: how a self-edit becomes training tasks, and how a test input is looked at.'),
    innerLoop: innerLoop.describe('How a candidate is tried: train an adapter on it, then ask.'),
    answers: z
      .strictObject({ maxTokens: count.default(64).describe('An answer ends here at the latest.') })
      .prefault({})
      .describe('How questions are answered; always with the likeliest tokens.'),
    grader,
    reward: z
      .enum(rewards)
      .describe(
        "What candidates are ranked by: the adapter's accuracy, its gain over the baseline, whether it gained at all, or whether every answer is correct.",
      ),
    selection,
    outerLoop: outerLoop.describe('How the policy learns to write better self-edits.'),
    evaluation: evaluation.describe('What is measured before and after.'),
    compute: compute.prefault({}).describe('Where and how much at once.'),
  })
  .refine(({ selfEdit, innerLoop }) => innerLoop.includePassage || !selfEdit.prompts.includes('none'), {
    path: ['innerLoop', 'includePassage'],
    message: 'must be true with the prompt "none", which leaves nothing else to train on',
  })
  .superRefine(({ selfEdit, fewShot, evaluation, grader }, context) => {
    const refuse = (path: string[], message: string): void =>
      context.addIssue({ code: 'custom', path, message })
    const asks = selfEdit.prompts.includes('configuration')
    if (fewShot && selfEdit.prompts.some((key) => key !== 'configuration'))
      refuse(['selfEdit', 'prompts'], 'must be ["configuration"] with [few-shot]')
    if (!fewShot && asks)
      refuse(['selfEdit', 'prompts'], 'must not ask for a "configuration" without [few-shot]')
    const unfit = evaluation.arms.find((arm) => (fewShot ? passageArms : fewShotArms).has(arm))
    if (unfit)
      refuse(
        ['evaluation', 'arms'],
        fewShot
          ? `must not have "${unfit}", which needs a passage`
          : `must not have "${unfit}" without [few-shot]`,
      )
    if (evaluation.arms.includes('exhaustive') && fewShot && !fewShot.search)
      refuse(['evaluation', 'arms'], 'must not have "exhaustive" without [few-shot.search]')
    if (fewShot && grader.type !== twoAttempts)
      refuse(['grader', 'type'], 'must be "two-attempts" with [few-shot]')
    if (!fewShot && grader.type === twoAttempts)
      refuse(['grader', 'type'], 'must not be "two-attempts" without [few-shot]')
  })

export type Recipe = z.infer<typeof recipeSchema>
export type FewShotRecipe = NonNullable<Recipe['fewShot']>

/** How many configurations the arm "exhaustive" tries on each puzzle. */
export function exhaustiveSize({ fewShot }: Pick<Recipe, 'fewShot'>): number {
  if (!fewShot?.search) return 0
  const { families, strategies, learningRates, epochs } = fewShot.search
  return families.length * strategies.length * learningRates.length * epochs.length
}
export type PromptStyle = (typeof promptStyles)[number]
export type EvaluationArm = (typeof evaluationArms)[number]
