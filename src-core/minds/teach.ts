/** Trains edits as a mind's strategy says, and asks each trial about its own passage. */
import type { Sampling } from '../../src-shared/compute-protocol.ts'
import { deriveSeed, shuffledIndices } from '../../src-shared/random.ts'
import { openBookPrompt, selfEditMessage, selfEditText } from '../../src-shared/self-edit-prompts.ts'
import type { StackedEdit } from '../../src-shared/minds/mind.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { generationOf, runTrials, type EvaluatedTrial, type InnerLoopOptions } from '../loop/inner-loop.ts'
import { passageExam } from '../loop/passages.ts'
import { sampleSelfEdits, type SelfEdit } from '../loop/self-edits.ts'
import { trainTexts } from '../loop/train-sequences.ts'
import { innerLoopOf, type MindTools, type Serving } from './tools.ts'
import { weightsFor } from './answers.ts'

/** Of each earlier edit, so many of its texts are trained again. */
const rehearsedTexts = 4
/** Answers of the base model that a new edit is trained with. */
const anchors = 8
/** Of the penalty on shared directions, as O-LoRA's λ₁. */
const orthogonalWeight = 0.5

export type Draft = SelfEdit & { readonly promptKey: string; readonly seed: number; readonly text: string }

/** `count` self-edits about the task, by the base model or by the mind as it is. Throws what the generator throws. */
export async function writeDrafts(
  tools: MindTools,
  serving: Serving,
  task: PassageTask,
  count: number,
  ...seedParts: readonly (string | number)[]
): Promise<Draft[]> {
  const { strategy, mind, modelPath } = tools
  const { selfEdit } = mind.config.recipe
  const writer =
    strategy.writer === 'mind'
      ? await weightsFor(
          tools,
          serving,
          serving.parts.map(({ editId }) => editId),
        )
      : { modelPath, adapters: [] }
  const requests = Array.from({ length: count }, (_, sample) => ({
    promptKey: selfEdit.prompts[sample % selfEdit.prompts.length]!,
    seed: deriveSeed(mind.seed, ...seedParts, task.id, sample),
  }))
  const { temperature, topP, maxTokens, promptStyle } = selfEdit
  const sampling: Sampling = { temperature, topP, maxTokens, stop: [] }
  const options = { ...innerLoopOf(tools), modelPath: writer.modelPath, promptStyle }
  const asked = requests.map(({ promptKey, seed }) => ({ ...selfEditMessage(promptKey, task), seed }))
  const edits = await sampleSelfEdits(options, writer.adapters, asked, sampling)
  return edits.map((edit, index) => {
    const { promptKey, seed } = requests[index]!
    return { ...edit, promptKey, seed, text: selfEditText(promptKey, edit.completion.text) }
  })
}

export type Lesson = {
  readonly texts: readonly string[]
  readonly rehearsed: readonly string[] // texts of earlier edits
  readonly anchors: readonly { readonly prompt: string; readonly completion: string }[]
}

/** What is trained for each draft. */
export async function lessonsOf(
  tools: MindTools,
  edits: readonly StackedEdit[],
  task: PassageTask,
  drafts: readonly Pick<Draft, 'text'>[],
  seed: number,
): Promise<Lesson[]> {
  const { strategy, mind } = tools
  const { splitNewlines, includePassage } = mind.config.recipe.innerLoop
  const rehearsed = strategy.rehearses ? rehearsalOf(edits, seed) : []
  const anchored = strategy.anchors ? await anchorsOf(tools, seed) : []
  return drafts.map(({ text }) => ({
    texts: trainTexts(text, task, { splitNewlines, includePassage }),
    rehearsed,
    anchors: anchored,
  }))
}

/** Some of what each edit that is on was trained on itself. */
const rehearsalOf = (edits: readonly StackedEdit[], seed: number): string[] =>
  edits
    .filter(({ isEnabled }) => isEnabled)
    .flatMap(({ edit }) => {
      const own = edit.sequences.slice(0, edit.sequences.length - edit.rehearsed)
      return [...shuffledIndices(own.length, seed, 'rehearse', edit.id)]
        .slice(0, rehearsedTexts)
        .map((index) => own[index]!)
    })

/**
 * General texts that the base model wrote, at temperature 1 and with nothing cut off. Their cross-entropy is, up to a
 * constant, an unbiased estimate of the KL divergence from the base model to what is trained.
 */
async function anchorsOf(tools: MindTools, seed: number): Promise<Lesson['anchors']> {
  const { compute, signal, modelPath, mind } = tools
  const prompts = mind.config.general.flatMap((task) =>
    task.questions.map(({ question }) => openBookPrompt(task, question)),
  )
  const chosen = [...shuffledIndices(prompts.length, seed, 'anchors')].slice(0, anchors)
  const { answerTokens, ...options } = innerLoopOf(tools)
  const { completions } = await compute.request(
    'generator.generate',
    {
      modelPath,
      adapters: [],
      prompts: chosen.map((index) => ({
        text: prompts[index]!,
        seeds: [deriveSeed(seed, 'anchor', index)],
      })),
      sampling: { temperature: 1, topP: 1, maxTokens: answerTokens, stop: [] },
      ...generationOf(options),
    },
    { signal },
  )
  return chosen.flatMap((index, place) => {
    const completion = completions[place]?.[0]?.text ?? ''
    return completion.trim() === '' ? [] : [{ prompt: prompts[index]!, completion }]
  })
}

/** Trains each lesson on what the strategy says, and questions it as the mind would be with it. */
export async function tryLessons(
  tools: MindTools,
  serving: Serving,
  task: PassageTask,
  lessons: readonly Lesson[],
  seed: number,
): Promise<EvaluatedTrial[]> {
  const { strategy, composer, blobPath, modelPath } = tools
  const all = serving.parts.map(({ editId }) => editId)
  const under =
    strategy.trainsOn === 'mind' ? await weightsFor(tools, serving, all) : { modelPath, adapters: [] }
  const options: InnerLoopOptions = {
    ...innerLoopOf(tools),
    modelPath: under.modelPath,
    ...(under.adapters.length > 0 && {
      frozen: under.adapters,
      serve: (path: string) => composer.withTrial(under, { path, scale: 1 }, path),
    }),
    ...(strategy.orthogonal &&
      serving.parts.length > 0 && {
        orthogonal: {
          adapters: serving.parts.map(({ adapterSha256 }) => blobPath(adapterSha256)),
          weight: orthogonalWeight,
        },
      }),
  }
  return await runTrials(
    options,
    lessons.map(({ texts, rehearsed, anchors }, index) => ({
      exam: passageExam(task, false),
      name: `trial-${seed}-${index}`,
      rows: [...[...texts, ...rehearsed].map((text) => ({ text })), ...anchors],
      seed: deriveSeed(seed, 'trial', index),
    })),
  )
}
