/** Asks a mind one question, as it is or as it was at other points of its history, and says which edits an answer is due to. */
import type { Blame, MindAnswer } from '../../src-shared/api/minds.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { Completion } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { activeParts, foldMind, stackKey, type MindState } from '../../src-shared/minds/fold.ts'
import type { MindEvent, MindWeights } from '../../src-shared/minds/mind.ts'
import { answerStop, questionPrompt } from '../../src-shared/self-edit-prompts.ts'
import { generationOf } from '../loop/inner-loop.ts'
import { activeFor, weightsFor } from './answers.ts'
import { servingOf } from './serving.ts'
import { innerLoopOf, type MindTools, type Serving } from './tools.ts'

type Question = { readonly title: string; readonly question: string }

/** One answer per version; versions with the same stack are asked once. Throws `invalid_input` for a version that is not there. */
export async function askThroughHistory(
  tools: MindTools,
  events: readonly MindEvent[],
  { versions = [events.length], title, question }: JobSpecOf<'mind-ask'>,
): Promise<MindAnswer[]> {
  const states =
    versions === 'all' ? turningPoints(events) : versions.map((version) => stateAt(events, version))
  const known = new Map<string, Omit<MindAnswer, 'version' | 'stack'>>()
  const answers: MindAnswer[] = []
  for (const [index, state] of states.entries()) {
    tools.onProgress('asking', index, states.length)
    const serving = servingOf(state, tools.strategy)
    const key = keyOf(state)
    const answer = known.get(key) ?? (await answerNow(tools, serving, { title, question }))
    known.set(key, answer)
    answers.push({ version: state.version, stack: serving.parts, ...answer })
  }
  return answers
}

const keyOf = (state: MindState): string => `${state.merge?.sha256 ?? ''}|${stackKey(activeParts(state))}`

function stateAt(events: readonly MindEvent[], version: number): MindState {
  if (version <= events.length) return foldMind(events.slice(0, version))
  const message = `The mind has had ${events.length} events, so it has no version ${version}.`
  throw new AppError('invalid_input', message, { version })
}

/** The first state, and every one whose answers can differ from the one before. */
export function turningPoints(events: readonly MindEvent[]): MindState[] {
  const states = events.map((_, index) => foldMind(events.slice(0, index + 1)))
  return states.filter((state, index) => index === 0 || keyOf(state) !== keyOf(states[index - 1]!))
}

async function answerNow(
  tools: MindTools,
  serving: Serving,
  question: Question,
): Promise<Omit<MindAnswer, 'version' | 'stack'>> {
  const [active = []] = await activeFor(tools, serving, [question])
  const {
    text,
    logProb,
    pieces = [],
  } = await complete(tools, await weightsFor(tools, serving, active), question)
  return {
    active,
    text: text.trim(),
    logProb,
    // Rounding can leave a log-probability just above 0.
    tokens: pieces.map((piece) => ({ text: piece.text, probability: Math.min(1, Math.exp(piece.logProb)) })),
  }
}

async function complete(
  tools: MindTools,
  { modelPath, adapters }: MindWeights,
  { title, question }: Question,
): Promise<Completion> {
  const { answerTokens, ...options } = innerLoopOf(tools)
  const { completions } = await tools.compute.request(
    'generator.generate',
    {
      modelPath,
      adapters,
      prompts: [{ text: questionPrompt(title, question), seeds: [0] }],
      sampling: { temperature: 0, topP: 1, maxTokens: answerTokens, stop: answerStop },
      ...{ withPieces: true, wholePrompts: true },
      ...generationOf(options),
    },
    { signal: tools.signal },
  )
  const completion = completions[0]?.[0]
  if (!completion) throw new AppError('internal', 'The generator gave no answer.')
  return completion
}

/**
 * Leave-one-out over the edits that are on: the log-probability of the answer with all of them, and without each. In a
 * merge the edits are taken one by one for this.
 */
export async function blame(
  tools: MindTools,
  state: MindState,
  { title, question, answer: given }: JobSpecOf<'mind-blame'>,
): Promise<Blame> {
  const serving = servingOf({ ...state, merge: null }, tools.strategy)
  const [active = []] = await activeFor(tools, serving, [{ title, question }])
  const full = await weightsFor(tools, serving, active)
  const answer = given ?? (await complete(tools, full, { title, question })).text.trim()
  const prompt = questionPrompt(title, question)
  const logProb = await logProbOf(tools, full, prompt, answer)
  const edits: Blame['edits'][number][] = []
  for (const [index, editId] of active.entries()) {
    tools.onProgress('asking without one edit', index, active.length)
    const rest = active.filter((id) => id !== editId)
    const without = await logProbOf(tools, await weightsFor(tools, serving, rest), prompt, answer)
    const { title: passageTitle } = state.edits.find(({ edit }) => edit.id === editId)!.edit.task
    edits.push({ editId, title: passageTitle, logProb: without, change: logProb - without })
  }
  return { answer, logProb, edits: edits.toSorted((a, b) => Math.abs(b.change) - Math.abs(a.change)) }
}

/** Of the answer behind the prompt: the sum over the tokens that the prompt alone does not have, natural log. */
async function logProbOf(
  { compute, signal }: MindTools,
  { modelPath, adapters }: MindWeights,
  prompt: string,
  answer: string,
): Promise<number> {
  const whole = `${prompt} ${answer}`
  const { texts } = await compute.request(
    'generator.score',
    { modelPath, adapters, texts: [whole] },
    { signal },
  )
  const [scored] = texts
  const asked = await compute.request(
    'generator.tokenize',
    { modelPath, texts: [prompt], begin: true, end: false },
    { signal },
  )
  if (!scored) throw new AppError('internal', 'The generator scored nothing.')
  const { tokens, logProbs } = scored
  const alone = asked.texts[0]!
  let common = 0
  while (common < alone.length && alone[common] === tokens[common]) common++
  return logProbs.slice(Math.max(0, common - 1)).reduce((sum, value) => sum + value, 0)
}
