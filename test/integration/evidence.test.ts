/** Evidence from end to end: control arms of a real run, its report, and its capsule on another machine's empty store. */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeAll, expect, test } from 'vitest'
import type { CapsuleVerdict } from '../../src-shared/api/capsules.ts'
import type { EvidenceReport } from '../../src-shared/api/evidence.ts'
import type { RunReport } from '../../src-shared/api/runs.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { doneRun, selkie, startSelkie, writeRecipe, writeTinyRun, type Finished } from './tiny-run.ts'

const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)
const store = at('store')
let runId: string

const arms = ['frozen', 'bare-passage', 'untrained', 'each-round', 'passage-in-prompt']
const controls = [
  'equal-steps',
  'equal-tokens',
  'gold-answers',
  'fixed-prompts',
  'retrieval',
  'shuffled-reward',
]

beforeAll(() => {
  writeTinyRun(folder)
  const all = JSON.stringify([...arms, ...controls])
  const recipe = writeRecipe(folder, 'controls.toml', [
    [`arms = ${JSON.stringify(arms).replaceAll(',', ', ')}`, `arms = ${all}`],
  ])
  runId = doneRun('run', 'start', '--config', recipe, '--store', store).run.id
  expect(selkie('capsule', 'pack', runId, '--out', at('whole.capsule'), '--store', store)).toMatchObject({
    status: 0,
    output: { runId, problems: [] },
  })
})

test('every control arm is measured, and equal steps are equal', () => {
  const { status, output } = selkie('report', runId, '--store', store)
  expect(status).toBe(0)
  const [run] = (output as EvidenceReport).runs
  const steps = new Map(run!.arms.map(({ name, stepsPerEdit }) => [name, stepsPerEdit]))
  expect([...steps.keys()]).toEqual(expect.arrayContaining(controls))
  expect(steps.get('equal-steps')).toBe(steps.get('policy-0'))
  expect(steps.get('bare-passage')).toBeLessThanOrEqual(steps.get('policy-0')!)
  for (const { name, answers } of run!.arms) expect(answers, name).toBeGreaterThan(0)
  expect(selkie('run', 'show', runId, '--store', store).output).toMatchObject({
    summary: {
      differences: expect.arrayContaining([expect.objectContaining({ a: 'policy-2', b: 'shuffled-reward' })]),
    },
  })
})

const replay = (
  file: string,
  ...more: readonly string[]
): { status: number | null; verdict: CapsuleVerdict } => {
  const { status, output } = selkie('capsule', 'replay', at(file), ...more)
  return { status, verdict: output as CapsuleVerdict }
}

test('a capsule is reproduced to the bit', () => {
  const { status, verdict } = replay('whole.capsule')
  expect(verdict).toMatchObject({ grade: 'reproduced', repeatedLedger: verdict.ledger })
  expect(status).toBe(0)
})

test('one changed answer is found out, by its hash', () => {
  // Sound: the form is the one that was just written.
  const capsule = JSON.parse(gunzipSync(readFileSync(at('whole.capsule'))).toString()) as {
    ledger: { table: string; row: { text: string } }[]
  }
  capsule.ledger.find(({ table }) => table === 'answers')!.row.text += '!'
  writeFileSync(at('changed.capsule'), gzipSync(JSON.stringify(capsule)))
  expect(selkie('capsule', 'verify', at('changed.capsule'))).toMatchObject({ status: 1 })
  expect(replay('changed.capsule')).toMatchObject({
    status: 1,
    verdict: { grade: 'not reproduced', reasons: [expect.stringContaining('answers')], repeatedLedger: null },
  })
})

test('one changed weight is found out, and a file that is no capsule is refused', () => {
  const bytes = readFileSync(at('model.gguf'))
  bytes[bytes.length - 100] = bytes[bytes.length - 100]! ^ 1
  writeFileSync(at('other.gguf'), bytes)
  expect(replay('whole.capsule', '--model', at('other.gguf'))).toMatchObject({
    status: 1,
    verdict: { grade: 'not reproduced', reasons: [expect.stringContaining('model')] },
  })
  writeFileSync(at('no.capsule'), 'hello')
  expect(selkie('capsule', 'verify', at('no.capsule'))).toMatchObject({
    status: 2,
    output: { error: { code: 'corrupt_file' } },
  })
})

test("a teacher's self-edits are asked for, and one that does not answer is no empty self-edit", async () => {
  const asked: string[] = []
  let isUp = true
  const teacher = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      asked.push(body)
      response.statusCode = isUp ? 200 : 400
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ choices: [{ message: { content: 'Seals live here.\nMany of them.' } }] }))
    })
  })
  teacher.listen(0, '127.0.0.1')
  await once(teacher, 'listening')
  const { port } = teacher.address() as AddressInfo // sound: it listens on a port
  const recipe = writeRecipe(folder, 'teacher.toml', [
    [`arms = ${JSON.stringify(arms).replaceAll(',', ', ')}`, 'arms = ["frozen", "teacher"]'],
    ['rounds = 2', 'rounds = 0'],
    [
      '[compute]',
      `[evaluation.teacher]\nurl = "http://127.0.0.1:${port}/v1"\nmodel = "m"\nretries = 0\n\n[compute]`,
    ],
  ])
  const start = async (): Promise<Finished> =>
    startSelkie('run', 'start', '--config', recipe, '--store', at('taught')).finished
  try {
    const { status, output } = await start()
    expect(status).toBe(0)
    const { id } = (output as RunReport).run
    expect(asked).toHaveLength(2)
    expect(JSON.parse(asked[0]!)).toMatchObject({ model: 'm', max_tokens: 12, temperature: 0 })
    const rows = selkie('show', 'arm', 'teacher', '--run', id, '--store', at('taught')).output
    expect(rows).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ table: 'candidates', text: 'Seals live here.\nMany of them.', seed: null }),
      ]),
    )
    isUp = false
    expect(await start()).toMatchObject({ status: 2, output: { error: { code: 'not_found' } } })
  } finally {
    teacher.close()
  }
})
