/**
 * How the views of a test input voted, read from what is kept beside an answer. What was stored is not trusted: what
 * has another form is no vote, and what spells no grid is shown as a text.
 */
import type { Json } from '../../../src-shared/canonical-json.ts'
import { parseGridText, type Grid } from '../../../src-shared/few-shot/grid.ts'

export type ViewVotes = { readonly view: string; readonly votes: number }
export type VotedGrid = {
  readonly text: string
  readonly grid: Grid | null
  readonly votes: number
  readonly nominations: number // decide the place
  readonly views: readonly ViewVotes[]
}
export type Votes = {
  readonly predictions: number // one for each view
  readonly withoutGrid: readonly ViewVotes[] // predictions that were no grid, by the name of their view
  readonly tally: readonly VotedGrid[] // best first; the attempts lead it
}

/** Null for an answer that keeps no votes. */
export function readVotes(judge: Json): Votes | null {
  if (!isObject(judge) || !Array.isArray(judge.predictions) || !Array.isArray(judge.tally)) return null
  const predictions = judge.predictions.filter(isObject)
  const lost = predictions.filter(({ grid }) => grid === null).map(({ view }) => textOf(view))
  return {
    predictions: predictions.length,
    withoutGrid: [...Map.groupBy(lost, (view) => view)]
      .map(([view, own]) => ({ view, votes: own.length }))
      .sort((a, b) => (a.view < b.view ? -1 : 1)),
    tally: judge.tally.filter(isObject).map(({ grid, votes, nominations, views }) => {
      const text = textOf(grid)
      const counts = { votes: Number(votes), nominations: Number(nominations) }
      return { text, grid: parseGridText(text), ...counts, views: readViews(views) }
    }),
  }
}

/** `identity 2, rotate-90 1` */
export const viewsText = (views: readonly ViewVotes[]): string =>
  views.map(({ view, votes }) => `${view} ${votes}`).join(', ')

function readViews(views: Json | undefined): readonly ViewVotes[] {
  if (!Array.isArray(views)) return []
  return views.filter(isObject).map(({ view, votes }) => ({ view: textOf(view), votes: Number(votes) }))
}

const textOf = (value: Json | undefined): string =>
  typeof value === 'string' ? value : JSON.stringify(value ?? null)

type JsonObject = { readonly [key: string]: Json | undefined }
const isObject = (value: Json): value is JsonObject & Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
