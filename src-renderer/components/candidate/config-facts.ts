/** A configuration as lines to read: names as recipes spell them, one line for each value. */
import type { Json } from '../../../src-shared/canonical-json.ts'

export type Fact = readonly [name: string, value: string]

/** `{ lora: { loraRank: 8 } }` → `lora.lora-rank`, `8`. Lists of values stay together. */
export function configFacts(config: Json, path = ''): readonly Fact[] {
  if (config === null || typeof config !== 'object' || Array.isArray(config)) {
    const value = Array.isArray(config) ? config.join(', ') : String(config)
    return [[path, value]]
  }
  return Object.entries(config).flatMap(([name, value]) =>
    value === undefined ? [] : configFacts(value, [path, spelled(name)].filter(Boolean).join('.')),
  )
}

const spelled = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
