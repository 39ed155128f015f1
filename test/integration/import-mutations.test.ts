/** 500 damaged folders of records: none crashes the import, none is kept by half, and each message names file and place. */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { uniformFloat } from '../../src-shared/random.ts'
import { createApiClient } from '../../src-shared/api/transport.ts'
import { appOn } from '../fixtures/screen-run.ts'
import { smallRecords, writeFiles } from '../fixtures/seal-data.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const app = appOn(join(folder, 'store'))
const api = createApiClient(app)
afterAll(async () => app.dispose())

type Draw = () => number
const pick = <T>(from: readonly T[], draw: Draw): T => from[Math.floor(draw() * from.length)]!
const strange = ['null', '-1', '1e400', '"\\ud800"', '{}', '[]', 'true', '"yes"', '99999999999', '""', '0.5']

/** Text damage, or a value of the JSON exchanged, dropped or repeated. */
function damaged(text: string, draw: Draw): string {
  const at = Math.floor(draw() * text.length)
  switch (Math.floor(draw() * 7)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return `${text.slice(0, at)}${String.fromCharCode(Math.floor(draw() * 0xffff))}${text.slice(at + 1)}`
    case 2:
      return text.slice(0, at) + text.slice(at + Math.floor(draw() * 200))
    case 3: {
      const values = [...text.matchAll(/(?<=: )(?:true|false|[\d.]+|"(?:[^"\\]|\\.)*")/g)]
      const value = pick(values, draw)
      if (!value) return text.slice(at)
      return text.slice(0, value.index) + pick(strange, draw) + text.slice(value.index + value[0].length)
    }
    case 4: {
      const keys = [...text.matchAll(/"[a-z_]+"(?=: )/g)]
      const key = pick(keys, draw)
      return key ? `${text.slice(0, key.index)}"renamed"${text.slice(key.index + key[0].length)}` : ''
    }
    case 5:
      return text.slice(0, at) + text
    default:
      return text.replace(/\[\s*\{[^[\]]*\}\s*\]/, '[]')
  }
}

const expectedForms = Object.keys(smallRecords)

test('500 of them', { timeout: 120_000 }, async () => {
  let refused = 0
  for (let seed = 0; seed < 500; seed++) {
    const draw = uniformFloat(seed, 'mutation')
    const target = pick(expectedForms, draw)
    const text = damaged(smallRecords[target]!, draw)
    const path = writeFiles(join(folder, 'mutated'), { ...smallRecords, [target]: text })
    const before = (await api.call('runs.page', { search: '', offset: 0, limit: 1 })).total
    const { runs, problems, notes } = await api.call('imports.read', { format: 'seal', path })
    const after = (await api.call('runs.page', { search: '', offset: 0, limit: 1 })).total
    expect(after - before).toBe(runs.filter(({ status }) => status === 'imported').length)
    for (const { source, message } of problems) {
      refused++
      expect([target, 'results/cpt/together.json']).toContain(source) // whose passages may be the damaged file
      expect(message).toContain(source.slice(source.lastIndexOf('/') + 1))
      // A line, a position, a field, or the nature of the whole file.
      expect(message).toMatch(
        /line \d+|position \d+|, [a-z0-9_.[\]]+|of item \d+|at its end|not UTF-8|expected (array|object)|is empty/,
      )
    }
    // Whatever was not damaged is there, whole.
    const told = [...runs, ...problems, ...notes].map(({ source }) => source)
    for (const source of expectedForms)
      if (source.endsWith('.json')) expect(told, `${seed} ${source}`).toContain(source)
  }
  expect(refused).toBeGreaterThan(200)
  expect(await api.call('store.check', { readData: true })).toMatchObject({ problems: [] })
  const all = await api.call('runs.page', { search: '', offset: 0, limit: 1000 })
  expect(all.rows.filter(({ status }) => status !== 'done')).toEqual([])
})
