/**
 * The training tasks of a trial on a puzzle, as its row keeps them: texts, and where each came from. A task is made
 * again from its origin and drawn only if its text is the very one that was stored.
 */
import type { PuzzleFacts } from '../../../src-shared/api/workbench.ts'
import type { Json } from '../../../src-shared/canonical-json.ts'
import type { GridPair } from '../../../src-shared/few-shot/grid.ts'
import { outputText, puzzleMessage, type PuzzleText } from '../../../src-shared/few-shot/puzzle-text.ts'
import { retraceTask } from '../../../src-shared/few-shot/retrace-task.ts'
import type { TrainingTask } from '../../../src-shared/few-shot/training-tasks.ts'
import type { TrialRecord } from '../../../src-shared/records.ts'

type Origin = TrainingTask['origin']

/** `task` is null where the stored text is not that of its origin; the text then stands for itself. */
export type StoredTask = {
  readonly number: number // from 1, in the order of the training
  readonly text: string
  readonly task: TrainingTask | null
}

export type TrialConfiguration = {
  readonly origins: readonly (Origin | null)[] // parallel to the sequences
  readonly nothingTrained: string | null // why
}

/** What the loop keeps of a puzzle's training, read with care: another loop may have written the row. */
export function readTrialConfiguration(config: Json): TrialConfiguration {
  if (config === null || typeof config !== 'object' || !('origins' in config || 'nothingTrained' in config))
    return { origins: [], nothingTrained: null }
  const { origins, nothingTrained } = config
  return {
    origins: Array.isArray(origins) ? origins.map(readOrigin) : [],
    nothingTrained: typeof nothingTrained === 'string' ? nothingTrained : null,
  }
}

/** Those with the numbers from `from` to `to`, which is not included. */
export function storedTasks(
  demonstrations: readonly GridPair[],
  { sequences, config }: Pick<TrialRecord, 'sequences' | 'config'>,
  { text: format, promptStyle }: Pick<PuzzleFacts, 'text' | 'promptStyle'>,
  [from, to]: readonly [number, number],
): readonly StoredTask[] {
  const { origins } = readTrialConfiguration(config)
  return sequences.slice(from, to).map((text, index) => {
    const origin = origins[from + index] ?? null
    const task = origin && retraceTask(demonstrations, origin)
    const isSame = task !== null && format !== null && isTextOf(task, text, format, promptStyle)
    return { number: from + index + 1, text, task: isSame ? task : null }
  })
}

/** In a chat format the model's own marks stand around the message, and it may trim it. */
function isTextOf(
  { demonstrations, query }: TrainingTask,
  text: string,
  format: PuzzleText,
  promptStyle: PuzzleFacts['promptStyle'],
): boolean {
  const message = puzzleMessage(format, { demonstrations, input: query.input })
  const output = outputText(format, query.output)
  if (promptStyle === 'completion') return text === message + output
  return text.includes(message.trim()) && text.endsWith(output)
}

function readOrigin(value: Json): Origin | null {
  if (value === null || typeof value !== 'object' || !('left' in value)) return null
  const { left, transform = null, colours = null, order = null } = value
  const isName = transform === null || typeof transform === 'string'
  if (!isNumbers(left) || !isName || !isNumbersOrNull(colours) || !isNumbersOrNull(order)) return null
  return { left, transform, colours, order }
}

const isNumbers = (value: Json | undefined): value is readonly number[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'number')
const isNumbersOrNull = (value: Json): value is readonly number[] | null => value === null || isNumbers(value)

// ------------------------------------------------------------------------------------------ in words

/**
 * Where a task comes from, a phrase each. Demonstrations count from 1, as they are shown; of the exchanged colours those
 * that the task has.
 */
export function originWords({ demonstrations, query, origin }: TrainingTask, all: number): string[] {
  const { left, transform, colours, order } = origin
  const [asked, ...others] = left.map((index) => index + 1)
  const remaining = Array.from({ length: all }, (_, index) => index + 1).filter(
    (number) => !left.includes(number - 1),
  )
  const shown = order?.map((index) => remaining[index]) ?? remaining
  const present = new Set([...demonstrations, query].flatMap(({ input, output }) => [input, output]).flat(2))
  const exchanged = (colours ?? []).flatMap((to, from) =>
    to === from || !present.has(to) ? [] : [`${from}→${to}`],
  )
  return [
    `asks demonstration ${asked}`,
    `shows ${shown.join(', ') || 'none'}`,
    ...(others.length > 0 ? [`without ${others.join(', ')}`] : []),
    transform === null ? 'not transformed' : transformWords(transform),
    exchanged.length > 0 ? `colours ${exchanged.join(' ')}` : 'its own colours',
  ]
}

/** Transforms are called by their names, but for translation, whose name is two shifts. */
function transformWords(name: string): string {
  const shifts = /^translate-(\d+)-(\d+)\/translate-(\d+)-(\d+)$/.exec(name)
  if (!shifts) return name
  const [, inputX, inputY, outputX, outputY] = shifts
  return `shifted: input ${inputX} right, ${inputY} down; output ${outputX} right, ${outputY} down`
}

/** `6 as they are, 18 transformed; 12 in other colours` */
export function originCounts(origins: readonly (Origin | null)[]): string {
  const known = origins.filter((origin) => origin !== null)
  const transformed = known.filter(({ transform }) => transform !== null).length
  const recoloured = known.filter(({ colours }) => colours !== null).length
  return `${known.length - transformed} as they are, ${transformed} transformed; ${recoloured} in other colours`
}
