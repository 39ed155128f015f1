/**
 * From a self-edit to the texts that the trainer is fed. The rules are the original's (SEAL, arXiv 2506.10943): one
 * text per line or per question with its answer, each behind the title, the passage last. Ours differs in that an
 * empty self-edit gives the passage alone instead of a sequence that is only a title.
 */
import type { TitledPassage } from '../../src-shared/self-edit-prompts.ts'

export type TrainSequenceRules = {
  readonly splitNewlines: boolean
  readonly includePassage: boolean
}

/** At least one text unless both the self-edit is empty and the passage is left out. */
export function trainTexts(
  selfEdit: string,
  { title, passage }: TitledPassage,
  { splitNewlines, includePassage }: TrainSequenceRules,
): string[] {
  const segments = nonEmpty(selfEdit.split('---'))
  const pieces = splitNewlines ? piecesOf(segments) : segments
  const texts = pieces.map((piece) => `${title}\n${piece}`)
  return includePassage ? [...texts, `${title}\n${passage.trim()}`] : texts
}

/** Decided for the self-edit as a whole, as the original does: of all its parts one line at most is dropped. */
function piecesOf(segments: readonly string[]): string[] {
  const whole = segments.join('\n')
  if (/Question\s+\d+:/.test(whole) && /Answer\s*:/.test(whole)) return segments.flatMap(questionsWithAnswers)
  const lines = segments.flatMap((segment) => nonEmpty(segment.split('\n')))
  // A first line before a numbered list is the model talking about what it will write.
  return lines.length > 1 && lines[1]!.startsWith('1.') ? lines.slice(1) : lines
}

function questionsWithAnswers(segment: string): string[] {
  const [first, ...others] = nonEmpty(segment.split(/\n(?=Question\s+\d+:)/))
  if (first === undefined) return []
  return [/^Question\s+\d+:/.test(first) ? first : `Question 1: ${first}`, ...others]
}

function nonEmpty(texts: readonly string[]): string[] {
  return texts.map((text) => text.trim()).filter((text) => text !== '')
}
