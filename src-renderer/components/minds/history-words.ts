/** The history of a mind in words: its lines, and what each version of it is called. */
import type { MindEventLine } from '../../../src-shared/api/minds.ts'

const words: Readonly<Record<MindEventLine['type'], string>> = {
  created: 'Made',
  forked: 'Forked',
  learned: 'Learned',
  enabled: 'Switched on',
  disabled: 'Switched off',
  scaled: 'Strength of',
  moved: 'Moved',
  reverted: 'Took out',
  merged: 'Merged',
  unmerged: 'Undid the merge',
  pruned: 'Pruned',
  measured: 'Measured',
}

/** 'Learned Peru'. `titles`: of the edits, by id. */
export function lineText({ type, editId }: MindEventLine, titles: ReadonlyMap<string, string>): string {
  return editId === null ? words[type] : `${words[type]} ${titles.get(editId) ?? editId}`
}

/** What else there is to say of a line. What was learned has its title already, which the note repeats. */
export const noteText = ({ type, note }: MindEventLine): string =>
  type === 'learned' ? note.slice(note.lastIndexOf(': ') + 1).trim() : note

/** What the mind was after so many events. */
export function versionText(
  version: number,
  events: readonly MindEventLine[],
  titles: ReadonlyMap<string, string>,
): string {
  const line = events.find(({ sequence }) => sequence === version)
  return line ? lineText(line, titles) : version === 0 ? 'Base model' : `Version ${version}`
}
