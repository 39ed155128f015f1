/** Columns of the playground as addresses and `selkie ask` write them: `base`, or RUN/KEY[:SCALE][+RUN/KEY[:SCALE]]. */
import type { AdapterRef } from '../../../src-shared/api/workbench.ts'
import { parseRef, refText } from '../adapters/adapter-ref.ts'

/** `scale` is a factor on the strength that the adapter was trained with. */
export type ScaledAdapter = AdapterRef & { readonly scale: number }
export type Column = readonly ScaledAdapter[] // none: the base model

export const maxColumns = 8
export const maxScale = 2

export function columnText(column: Column): string {
  if (column.length === 0) return 'base'
  return column.map(({ scale, ...ref }) => refText(ref) + (scale === 1 ? '' : `:${scale}`)).join('+')
}

/** Null for a text that is no column. A key may hold a plus sign: only one before RUN/ divides. */
export function parseColumn(text: string): Column | null {
  if (text === 'base') return []
  const adapters = text.split(/\+(?=[^+/]+\/)/).map(parseAdapter)
  return adapters.every((adapter) => adapter !== null) ? adapters : null
}

function parseAdapter(text: string): ScaledAdapter | null {
  const [, name = text, scale = '1'] = /^(.+):(-?\d+(?:\.\d+)?)$/.exec(text) ?? []
  const ref = parseRef(name)
  return ref && { ...ref, scale: Number(scale) }
}
