/** The grids of a puzzle out of its text, as a summary keeps it: see `taskText`. */
import { parsePairText, type GridPair } from '../../../src-shared/few-shot/grid.ts'

/** Null for a text that is not made of pairs of grids. */
export function readDemonstrations(text: string): readonly GridPair[] | null {
  const pairs = text.split('\n\n').map(parsePairText)
  const read = pairs.filter((pair) => pair !== null)
  return read.length === pairs.length ? read : null
}
