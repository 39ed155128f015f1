/** A configuration as lines to read: names as recipes spell them, one line for each value. */
import type { Json } from '../../../src-shared/canonical-json.ts'
import { counted } from '../shared/format.ts'

export type Fact = readonly [name: string, value: string]

/** `{ lora: { loraRank: 8 } }` → `lora.lora-rank`, `8`. Short lists of values stay together, others are counted. */
export function configFacts(config: Json, path = ''): readonly Fact[] {
  if (config === null || typeof config !== 'object' || Array.isArray(config)) {
    return [[path, Array.isArray(config) ? listText(config) : String(config)]]
  }
  return Object.entries(config).flatMap(([name, value]) =>
    value === undefined ? [] : configFacts(value, [path, spelled(name)].filter(Boolean).join('.')),
  )
}

const longestList = 20

function listText(list: readonly Json[]): string {
  const values = list.filter((value) => typeof value !== 'object')
  const isLong = list.length > longestList || values.length < list.length
  return isLong ? counted(list.length, 'entry', 'entries') : values.join(', ') || 'none'
}

const spelled = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
