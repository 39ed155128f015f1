/**
 * From the predictions of many views to at most two attempts. The rules are those of SEAL's experiments as far as they
 * are known; what is ours is said at `vote`.
 */
import { gridText, parseGridText, type Grid } from './grid.ts'
import { identity } from './views.ts'

/** `view` names the group of the prediction (`View.name`); null: the answer was no grid, and has no vote. */
export type Prediction = { readonly view: string; readonly grid: Grid | null }

export type Tally = {
  readonly grid: Grid
  readonly votes: number // predictions; 0 for a grid that only a majority of rows or columns gives
  readonly pooled: number // groups that nominate it, "all" among them
  readonly views: readonly { readonly view: string; readonly votes: number }[] // by name
}

export type VoteResult = {
  readonly attempts: readonly Grid[] // 0 to 2, different ones
  readonly tally: readonly Tally[] // best first; the attempts lead it
}

const nominations = 3

/**
 * Groups are all predictions together, and those of each view name. Each group nominates its three most common grids.
 * If it has fewer, then also the grid of its most common rows and that of its most common columns, as long as three
 * are not reached. The two grids with most nominations are the attempts.
 *
 * Ours, where the original is not known or depends on the order of predictions: grids with equally many nominations
 * are ranked by votes of the identity views, then by votes of all, then by their text; equally common grids, rows and
 * columns within a group by the same (rows and columns: by their text). Rows and columns are compared among grids of
 * the group's most common size. So the order of the predictions does not matter. Without any grid there is no
 * attempt; the original then answers with a single cell of colour 0.
 */
export function vote(predictions: readonly Prediction[]): VoteResult {
  const texts = predictions.flatMap(({ view, grid }) => (grid ? [{ view, text: gridText(grid) }] : []))
  const names = [...new Set(texts.map(({ view }) => view))].sort()
  const groups = names.map((name) => texts.filter(({ view }) => view === name).map(({ text }) => text))
  const all = texts.map(({ text }) => text)
  const identityVotes = counted(texts.filter(({ view }) => view === identity).map(({ text }) => text))
  const votes = counted(all)
  const ranked = (items: Iterable<string>, most: ReadonlyMap<string, number>): readonly string[] =>
    [...items].sort(
      (a, b) => more(most, a, b) || more(identityVotes, a, b) || more(votes, a, b) || byText(a, b),
    )

  const nominees = [all, ...groups].flatMap((group) => {
    const counts = counted(group)
    const common = ranked(counts.keys(), counts).slice(0, nominations)
    return [...new Set([...common, ...majorities(group)])].slice(0, nominations)
  })
  const pooled = counted(nominees)
  const ranking = ranked(new Set([...nominees, ...all]), pooled)
  const tally = ranking.map((text) => ({
    grid: gridOf(text),
    votes: votes.get(text) ?? 0,
    pooled: pooled.get(text) ?? 0,
    views: names.flatMap((view, index) => {
      const own = groups[index]!.filter((other) => other === text).length
      return own > 0 ? [{ view, votes: own }] : []
    }),
  }))
  return { attempts: tally.slice(0, 2).map(({ grid }) => grid), tally }
}

/** The grid of the most common row at each place, and that of the most common columns. */
function majorities(texts: readonly string[]): readonly string[] {
  if (texts.length === 0) return []
  const grids = texts.map(gridOf)
  const sizeOf = (grid: Grid): string => `${grid.length} ${grid[0]!.length}`
  const size = mostCommon(grids.map(sizeOf))
  const alike = grids.filter((grid) => sizeOf(grid) === size)
  const rows = alike[0]!.map((_, row) => mostCommon(alike.map((grid) => grid[row]!.join(''))))
  const columns = alike[0]![0]!.map((_, column) =>
    mostCommon(alike.map((grid) => grid.map((row) => row[column]!).join(''))),
  )
  const fromColumns = Array.from(columns[0]!, (_, row) => columns.map((column) => column[row]!).join(''))
  return [rows.join('\n'), fromColumns.join('\n')]
}

function mostCommon(texts: readonly string[]): string {
  const counts = counted(texts)
  return [...counts.keys()].sort((a, b) => more(counts, a, b) || byText(a, b))[0]!
}

function counted(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}

const more = (counts: ReadonlyMap<string, number>, a: string, b: string): number =>
  (counts.get(b) ?? 0) - (counts.get(a) ?? 0)

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Votes are counted by text; every text here was written by `gridText` or has its form. */
const gridOf = (text: string): Grid => parseGridText(text)!
