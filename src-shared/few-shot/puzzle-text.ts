/**
 * Puzzles as text for a model to solve: the demonstrations, then an input whose output it is to write. Two formats.
 * `numpy` is that of SEAL's experiments (after Akyürek et al., arXiv 2411.07279), without its wording: a grid as NumPy
 * prints it, `input -> output#`. `rows` is the shortest there is, for models that read one token per character:
 * `12\n30>21\n03#`.
 */
import { gridFault, gridText, parseGridText, type Grid, type GridPair } from './grid.ts'

export const puzzleTexts = ['numpy', 'rows'] as const
export type PuzzleText = (typeof puzzleTexts)[number]

/** An input to solve and what shows how: `demonstrations` in the order in which they are shown. */
export type PuzzleQuery = { readonly demonstrations: readonly GridPair[]; readonly input: Grid }

/** An output ends with this; it is part of the completion that is trained, and where generation stops. */
export const outputEnd = '#'

/** What a model is told, or continues; the output is all of its reply. */
export function puzzleMessage(format: PuzzleText, { demonstrations, input }: PuzzleQuery): string {
  if (format === 'rows') {
    const shown = demonstrations.map(
      (pair) => `${gridText(pair.input)}>${gridText(pair.output)}${outputEnd}\n`,
    )
    return `${shown.join('')}${gridText(input)}>`
  }
  const shown = demonstrations.map(
    (pair) => `${numpyText(pair.input)} -> ${numpyText(pair.output)}${outputEnd}\n`,
  )
  const instruction =
    'Every input grid becomes its output grid by one and the same rule. Find the rule in the examples, then write the output for the last input. Grids are arrays of colours from 0 to 9.'
  return `${instruction}\n\n${shown.join('')}\n${numpyText(input)} -> `
}

/** What the model is to write. */
export function outputText(format: PuzzleText, output: Grid): string {
  return `${format === 'rows' ? gridText(output) : numpyText(output)}${outputEnd}`
}

/** The grid that a completion spells, up to its end; null if it is none. */
export function parseOutput(format: PuzzleText, completion: string): Grid | null {
  const text = completion.split(outputEnd)[0]!.trim()
  return format === 'rows' ? parseGridText(text) : parseNumpy(text)
}

/** As NumPy prints an array of integers: `[[1 2]\n [3 4]]`. */
export function numpyText(grid: Grid): string {
  return `[${grid.map((row) => `[${row.join(' ')}]`).join('\n ')}]`
}

function parseNumpy(text: string): Grid | null {
  const rows = text
    .replace(/^\[/, '')
    .replace(/\]$/, '')
    .split('\n')
    .map((row) => row.trim())
  if (rows.some((row) => !/^\[\s*\d( +\d)*\s*\]$/.test(row))) return null
  const grid = rows.map((row) => row.slice(1, -1).trim().split(/ +/).map(Number))
  return gridFault(grid) === null ? grid : null
}
