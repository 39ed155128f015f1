/**
 * From the predictions of many views to at most two attempts, by the rules of SEAL's experiments (after Akyürek et al.,
 * arXiv 2411.07279). How ties are broken is ours, and is said at `vote`.
 */
import { gridText, parseGridText, type Grid } from './grid.ts'
import { identity } from './views.ts'

/** `view` names the group of the prediction (`View.name`); null: the answer was no grid, and has no vote. */
export type Prediction = { readonly view: string; readonly grid: Grid | null }

export type Tally = {
  readonly grid: Grid
  readonly votes: number // predictions
  readonly nominations: number // places that groups gave it
  readonly views: readonly { readonly view: string; readonly votes: number }[] // by name
}

export type VoteResult = {
  readonly attempts: readonly Grid[] // 0 to 2, different ones
  readonly tally: readonly Tally[] // best first; the attempts lead it
}

const places = 3

/**
 * Groups are all predictions together, and those of each view name. Each group gives three nominations, to its three
 * most common grids; places that are left over go to the most common one. So a group that agrees nominates its grid
 * three times. The two grids with most nominations are the attempts.
 *
 * Ties, in a group as among nominations, are broken by votes of the identity views, then by votes of all views, then by
 * the grid's text. So the order of predictions does not matter. The original fills a left-over place with the grid of
 * the group's most common rows, or of its columns: the same grid, unless two are equally common. Then it depends on
 * the order of a set what it takes, and one of the two may be lost. Without any grid the original's attempt is a single
 * cell of colour 0; here there is none.
 */
export function vote(predictions: readonly Prediction[]): VoteResult {
  const cast = predictions.flatMap(({ view, grid }) => (grid ? [{ view, text: gridText(grid) }] : []))
  const textsOf = (view: string): readonly string[] =>
    cast.filter((each) => each.view === view).map(({ text }) => text)
  const names = [...new Set(cast.map(({ view }) => view))].sort()
  const all = cast.map(({ text }) => text)
  const perView = names.map((view) => ({ view, counts: counted(textsOf(view)) }))
  const votes = counted(all)
  const identityVotes = counted(textsOf(identity))
  const ranked = (counts: Counts): readonly string[] =>
    [...counts.keys()].sort(
      (a, b) => more(counts, a, b) || more(identityVotes, a, b) || more(votes, a, b) || (a < b ? -1 : 1),
    )

  const groups = all.length > 0 ? [votes, ...perView.map(({ counts }) => counts)] : []
  const nominations = counted(
    groups.flatMap((counts) => {
      const grids = ranked(counts)
      return Array.from({ length: places }, (_, place) => grids[place] ?? grids[0]!)
    }),
  )
  const ranking = ranked(new Map([...votes.keys()].map((text) => [text, nominations.get(text) ?? 0])))
  const tally = ranking.map((text) => ({
    grid: parseGridText(text)!, // written by `gridText`
    votes: votes.get(text)!,
    nominations: nominations.get(text) ?? 0,
    views: perView.flatMap(({ view, counts }) =>
      counts.has(text) ? [{ view, votes: counts.get(text)! }] : [],
    ),
  }))
  return { attempts: tally.slice(0, 2).map(({ grid }) => grid), tally }
}

type Counts = ReadonlyMap<string, number>

function counted(texts: readonly string[]): Counts {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}

const more = (counts: Counts, a: string, b: string): number => (counts.get(b) ?? 0) - (counts.get(a) ?? 0)
