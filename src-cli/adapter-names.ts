/** Adapters as commands name them: RUN/KEY, where only the key may hold slashes; with a strength RUN/KEY:SCALE. */
import { InvalidArgumentError } from 'commander'
import type { JobSpecOf } from '../src-shared/api/job-spec.ts'
import type { AdapterRef } from '../src-shared/api/workbench.ts'

type Column = JobSpecOf<'ask'>['columns'][number]

export function adapterRef(text: string): AdapterRef {
  const [, runId, key] = /^([^/]+)\/(.+)$/s.exec(text) ?? []
  if (runId !== undefined && key !== undefined) return { runId, key }
  throw new InvalidArgumentError(`"${text}" names no adapter. Write RUN/KEY as "selkie adapters list" does.`)
}

/** For an argument that may be given several times. */
export const adapterRefs = (text: string, before: readonly AdapterRef[] = []): readonly AdapterRef[] => [
  ...before,
  adapterRef(text),
]

/** `base`, or adapters with a plus sign between them; a key may hold one that no RUN/ follows. May be given several times. */
export function column(text: string, before: readonly Column[] = []): readonly Column[] {
  const names = text === 'base' ? [] : text.split(/\+(?=[^+/]+\/)/)
  const adapters = names.map((name) => {
    const [, ref = name, scale = '1'] = /^(.+):(-?\d+(?:\.\d+)?)$/s.exec(name) ?? []
    return { ...adapterRef(ref), scale: Number(scale) }
  })
  return [...before, { adapters }]
}
