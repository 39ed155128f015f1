/** Runs from end to end: what is killed, paused or out of disk space goes on to the ledger of an undisturbed run. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHost } from '../../src-cli/host.ts'
import { fsck } from '../../src-core/store/fsck.ts'
import type { Store } from '../../src-core/store/store.ts'
import { reading } from '../fixtures/reading.ts'
import type { RunReport } from '../../src-shared/api/runs.ts'
import { createApiClient } from '../../src-shared/api/transport.ts'
import { AppError } from '../../src-shared/errors.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import type { RewardRecord } from '../../src-shared/records.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { doneRun, selkie, startSelkie, writeRecipe, writeTinyRun, type Finished } from './tiny-run.ts'

const folder = temporaryFolder()
const at = (...names: readonly string[]): string => join(folder, ...names)
let recipe: string
let undisturbed: { readonly headHash: string; readonly rewards: readonly RewardRecord[]; readonly ms: number }
let stores = 0
const newStore = (): string => at(`store-${stores++}`)

beforeAll(() => {
  recipe = writeTinyRun(folder)
  const store = newStore()
  const started = performance.now()
  const { run, headHash } = doneRun('run', 'start', '--config', recipe, '--store', store)
  const ms = performance.now() - started
  undisturbed = { headHash, ms, rewards: reading(store, (each) => each.rows('rewards', run.id)) }
})

/** The only run of a store; undefined while there is none. */
function onlyRun(store: string): { readonly id: string; readonly units: number } | undefined {
  try {
    return reading(store, (each) => {
      const [run] = each.runs()
      return run && { id: run.id, units: unitsDone(each, run.id) }
    })
  } catch (error) {
    if (error instanceof AppError && ['not_found', 'unsupported'].includes(error.code)) return undefined // being made
    throw error
  }
}

const unitsDone = (store: Store, runId: string): number =>
  store.eventsAfter(runId, 0).filter(({ type }) => type === 'unit').length

/** Waits until the run of a store has done some units of work, and returns its id. */
async function untilUnits(store: string, units: number): Promise<string> {
  for (;;) {
    const run = onlyRun(store)
    if (run && run.units >= units) return run.id
    await sleep(20)
  }
}

const start = (store: string, config = recipe) =>
  startSelkie('run', 'start', '--config', config, '--store', store)
const resume = (store: string, id: string): RunReport => doneRun('run', 'resume', id, '--store', store)
const report = ({ output }: Finished): RunReport => output as RunReport
const errorOf = ({ status, output }: Finished): { status: number | null; code: string; message: string } => {
  const { code, message } = (output as { error: { code: string; message: string } }).error
  return { status, code, message }
}

/** Nothing is damaged, and unless files may be left over, nothing is there that no row speaks of. */
function expectSound(store: string, leftovers = false): void {
  const { problems } = fsck(store, { readData: true })
  expect(problems.filter(({ severity }) => leftovers && severity === 'warning')).toEqual(problems)
  expect(existsSync(join(store, 'work'))).toBe(false)
}

test('the same seed gives the same ledger', () => {
  const store = newStore()
  const { headHash } = doneRun('run', 'start', '--config', recipe, '--store', store)
  expect(headHash).toBe(undisturbed.headHash)
  expect(new Set(undisturbed.rewards.map(({ value }) => value)).size).toBeGreaterThan(2)
  expectSound(store)
})

test('trials side by side give what they give one after another, and go on after a kill', async () => {
  const single: [string, string] = ['at-once = 2', 'at-once = 1']
  const after = writeRecipe(folder, 'one-after-another.toml', [single])
  const byside = writeRecipe(folder, 'side-by-side.toml', [single, ['threads = 1', 'threads = 2\npairs = 2']])
  const rowsOf = (store: string, id: string) =>
    reading(store, (each) => ({
      trials: new Set(
        each
          .rows('trials', id)
          .map(({ id: trial, losses, adapterSha256 }) => `${trial} ${adapterSha256} ${losses?.join()}`),
      ),
      answers: new Set(each.rows('answers', id).map(({ id: answer, text: said }) => `${answer} ${said}`)),
    }))
  const [one, two, killed] = [newStore(), newStore(), newStore()]
  const alone = doneRun('run', 'start', '--config', after, '--store', one)
  const together = doneRun('run', 'start', '--config', byside, '--store', two)
  expect(rowsOf(two, together.run.id)).toEqual(rowsOf(one, alone.run.id))

  const { child, finished } = start(killed, byside)
  const id = await untilUnits(killed, 5)
  child.kill('SIGKILL')
  await finished
  expect(resume(killed, id).headHash).toBe(together.headHash)
  expectSound(killed, true)
})

test('a run that was paused in every way goes on to the same ledger', async () => {
  const store = newStore()
  const { finished } = start(store)
  const id = await untilUnits(store, 3)
  const other = createHost(store)
  await createApiClient(other).call('runs.pause', { id })
  await other.dispose()
  expectPaused(await finished)
  // Files as a killed process leaves them: made, and not yet in the ledger.
  cpSync(at('store-0', 'blobs'), join(store, 'blobs'), { recursive: true })
  expectSound(store, true)

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { units } = onlyRun(store)!
    const resumed = startSelkie('run', 'resume', id, '--store', store)
    await untilUnits(store, units + 1)
    resumed.child.kill(signal)
    expectPaused(await resumed.finished)
  }

  const { units } = onlyRun(store)!
  const host = createHost(store)
  const api = createApiClient(host)
  await api.call('runs.resume', { id })
  await untilUnits(store, units + 1)
  await expect(api.call('runs.start', { recipe })).rejects.toMatchObject({ code: 'conflict' })
  await host.dispose()
  expect(reading(store, (each) => each.run(id).status)).toBe('paused')

  expect(resume(store, id).headHash).toBe(undisturbed.headHash)
  expectSound(store)
})

function expectPaused(finished: Finished): void {
  const { run, isWorkedOn } = report(finished)
  expect([finished.status, run.status, isWorkedOn]).toEqual([1, 'paused', false])
}

const kills = Number(process.env['SELKIE_KILLS'] ?? 6)
const victims =
  process.platform === 'win32' ? (['host'] as const) : (['host', 'generator', 'trainer'] as const)

test(
  `whoever is killed at ${kills} random moments, no reward is lost or doubled`,
  { timeout: 60_000 + 20_000 * kills },
  async () => {
    const random = uniformFloat('kills', kills)
    const count = { host: 0, generator: 0, trainer: 0, runs: 0 }
    const moments: number[] = []
    while (moments.length < kills) {
      const store = newStore()
      let id: string | undefined
      for (let ended = false; !ended;) {
        const { child, finished } = id ? startSelkie('run', 'resume', id, '--store', store) : start(store)
        const victim = victims[moments.length % victims.length]!
        const started = performance.now()
        await Promise.race([sleep(random() * undisturbed.ms), finished])
        let wasKilled = false
        while (moments.length < kills && child.exitCode === null && !(wasKilled = kill(child.pid!, victim)))
          await Promise.race([sleep(20), finished]) // a child comes and goes with the work
        const afterMs = Math.round(performance.now() - started)
        if (wasKilled) {
          moments.push(afterMs)
          count[victim]++
        }
        const { status, output } = await finished
        id = onlyRun(store)?.id
        if (id !== undefined) {
          const kept = reading(store, (each) => each.rows('rewards', id!))
          expect(kept).toEqual(undisturbed.rewards.slice(0, kept.length))
        }
        ended = status === 0
        if (ended) expect((output as RunReport).headHash).toBe(undisturbed.headHash)
        else expect([wasKilled, victim, output]).toEqual([true, 'host', undefined])
      }
      count.runs++
      expect(reading(store, (each) => each.rows('rewards', id!))).toEqual(undisturbed.rewards)
      expectSound(store, true)
    }
    const middle = moments.toSorted((a, b) => a - b)[Math.floor(kills / 2)]
    console.log(
      `${kills} kills in ${count.runs} runs: ${count.host} of the host, ${count.generator} of the generator, ` +
        `${count.trainer} of the trainer; after ${Math.min(...moments)} to ${Math.max(...moments)} ms, median ${middle}; ` +
        `${undisturbed.rewards.length} rewards in each run, every ledger ${undisturbed.headHash.slice(0, 12)}`,
    )
  },
)

/** Ends a process or its child at once; false if there is no such child at the moment. */
function kill(pid: number, victim: (typeof victims)[number]): boolean {
  if (victim === 'host') return process.kill(pid, 'SIGKILL')
  const { stdout } = spawnSync('pgrep', ['-P', String(pid), '-f', `${victim}/main`], { encoding: 'utf8' })
  return stdout.trim() !== '' && spawnSync('kill', ['-9', stdout.trim()]).status === 0
}

test('an interrupted run is told from one that is worked on, also when its store is in use', async () => {
  const store = newStore()
  const first = start(store)
  const id = await untilUnits(store, 1)
  first.child.kill('SIGKILL')
  await first.finished
  const second = start(store)
  while (reading(store, (each) => each.runs()).length < 2) await sleep(20)
  const other = createHost(store)
  const api = createApiClient(other)
  const list = await api.call('runs.list', {})
  expect(list.map(({ run, isWorkedOn }) => [run.status, isWorkedOn])).toEqual([
    ['running', true],
    ['running', false],
  ])
  await expect(api.call('runs.resume', { id })).rejects.toMatchObject({ code: 'conflict' })
  await other.dispose()
  const watched = await startSelkie('run', 'watch', list[0]!.run.id, '--store', store).finished
  expect([watched.status, report(watched).headHash]).toEqual([0, undisturbed.headHash])
  expect((await second.finished).status).toBe(0)
  expect(resume(store, id).headHash).toBe(undisturbed.headHash)
  expectSound(store)
})

test('a long training is cancelled from another process; nothing goes on with it', async () => {
  const store = newStore()
  const { finished } = start(store, writeRecipe(folder, 'long.toml', [['epochs = 4', 'epochs = 20000']]))
  const id = await untilUnits(store, 3) // the next one trains
  const { status, output } = selkie('run', 'cancel', id, '--store', store)
  expect([status, output]).toEqual([0, expect.objectContaining({ id, status: 'cancelled' })])
  expect((await finished).status).toBe(1)
  expect(errorOf(selkie('run', 'resume', id, '--store', store))).toMatchObject({
    status: 1,
    code: 'conflict',
  })
  expectSound(store)
})

test('the command that pauses waits for the work at hand; what nobody works on is cancelled at once', async () => {
  const store = newStore()
  const { finished } = start(store, writeRecipe(folder, 'slow.toml', [['epochs = 4', 'epochs = 150']]))
  const id = await untilUnits(store, 3)
  for (const [verb, status] of [
    ['pause', 'paused'],
    ['cancel', 'cancelled'],
  ] as const) {
    const changed = selkie('run', verb, id, '--store', store)
    expect([changed.status, changed.output]).toEqual([0, expect.objectContaining({ id, status })])
  }
  expect((await finished).status).toBe(1)
  expectSound(store)
})

test('a judge that is not running pauses the run, which says why and goes on when it is', async () => {
  const store = newStore()
  const judge = createServer((request, response) => {
    request.resume().on('end', () => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ choices: [{ message: { content: 'yes' } }] }))
    })
  })
  const port = await listen(judge)
  judge.close()
  const endpoint = `type = "judge"\n[grader.endpoint]\nurl = "http://127.0.0.1:${port}/v1"\nmodel = "m"\nretries = 0`
  const judged = writeRecipe(folder, 'judged.toml', [['type = "f1"\nthreshold = 0.1', endpoint]])
  const down = await start(store, judged).finished
  const { id } = onlyRun(store)!
  const { message } = errorOf(down)
  expect(message).toContain(`http://127.0.0.1:${port}/v1`)
  expect(message).toContain(`selkie run resume ${id}`)
  const shown = selkie('run', 'show', id, '--store', store)
  expect(report(shown).run.status).toBe('paused')
  expect(shown.messages).toContain('cannot be reached')

  await listen(judge, port)
  const { status, output } = await startSelkie('run', 'resume', id, '--store', store).finished
  judge.close()
  const arms = (output as RunReport).summary?.arms ?? []
  expect([status, arms.map(({ ungraded }) => ungraded)]).toEqual([0, [0, 0, 0, 0, 0, 0]])
  expectSound(store)
})

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port // sound: it listens on a port
}

test('what cannot work is refused before anything is made', () => {
  makeRandomModel(at('qwen.gguf'), { architecture: 'qwen2', embeddingWidth: 64 })
  const bytes = readFileSync(at('qwen.gguf'))
  writeFileSync(at('gemma.gguf'), bytes.toString('latin1').replaceAll('qwen2', 'gemma'), 'latin1')
  writeFileSync(at('torn.gguf'), bytes.subarray(0, 1_000))
  const cases = [
    [['group-size = 2', 'group-size = 0'], 'invalid_input', 'group-size'],
    [['group-size = 2', 'group-size = '], 'invalid_input', 'recipe-'],
    [['tasks-per-round = 2', 'tasks-per-round = 3'], 'invalid_input', 'Ask for fewer'],
    [['./model.gguf', './absent.gguf'], 'not_found', 'absent.gguf'],
    [['./model.gguf', './gemma.gguf'], 'unsupported', 'gemma'],
    [['./model.gguf', './torn.gguf'], 'corrupt_file', 'torn.gguf'],
    [['./coast', './absent'], 'not_found', 'absent'],
  ] as const
  const store = newStore()
  for (const [number, [change, code, named]] of cases.entries()) {
    const config = writeRecipe(folder, `recipe-${number}.toml`, [[change[0], change[1]]])
    const refused = errorOf(selkie('run', 'start', '--config', config, '--store', store))
    expect(refused).toEqual({ status: 2, code, message: expect.stringContaining(named) })
  }
  expect(existsSync(store)).toBe(false)
})

test('a run does not go on with another model or taskset than it began with', async () => {
  const store = newStore()
  mkdirSync(at('moved'))
  const config = writeTinyRun(at('moved'))
  const { child, finished } = start(store, config)
  const id = await untilUnits(store, 1)
  child.kill('SIGINT')
  await finished
  const refusal = (): object => errorOf(selkie('run', 'resume', id, '--store', store))

  renameSync(at('moved', 'model.gguf'), at('moved', 'kept.gguf'))
  expect(refusal()).toMatchObject({ status: 2, code: 'not_found' })
  makeRandomModel(at('moved', 'model.gguf'), { architecture: 'llama', embeddingWidth: 64, seed: 2 })
  expect(refusal()).toMatchObject({ status: 2, code: 'mismatch' })
  renameSync(at('moved', 'kept.gguf'), at('moved', 'model.gguf'))

  const tasks = at('moved', 'coast', 'train.json')
  const text = readFileSync(tasks, 'utf8')
  writeFileSync(tasks, text.replace('grey seals', 'harbour seals'))
  expect(refusal()).toMatchObject({ status: 2, code: 'mismatch' })
  writeFileSync(tasks, text)
  resume(store, id)
  expectSound(store)
})

test('a damaged database is refused with what to do, and not touched', () => {
  const store = newStore()
  mkdirSync(store)
  writeFileSync(join(store, 'selkie.db'), 'not a database '.repeat(1_000))
  for (const command of [
    ['run', 'start', '--config', recipe],
    ['run', 'list'],
  ]) {
    const { status, code, message } = errorOf(selkie(...command, '--store', store))
    expect([status, code]).toEqual([2, 'corrupt_file'])
    expect(message).toContain('restore a backup')
  }
  expect(readFileSync(join(store, 'selkie.db'), 'utf8')).toBe('not a database '.repeat(1_000))
  expect(fsck(store, { readData: true }).problems).toContainEqual(
    expect.objectContaining({ severity: 'error' }),
  )
})

// A small disk of its own needs the rights to mount one.
const disk = at('disk')
mkdirSync(disk)
const canMount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0
afterAll(() => {
  if (canMount) spawnSync('umount', [disk])
})

test.skipIf(!canMount)('a full disk stops a run with all it has, and with space it goes on', () => {
  const store = join(disk, 'store')
  const full = errorOf(selkie('run', 'start', '--config', recipe, '--store', store))
  const { id, units } = onlyRun(store)!
  expect(full).toMatchObject({ status: 1, code: 'disk_full' })
  expect(full.message).toContain(`The run is paused; it goes on from here with "selkie run resume ${id}"`)
  expect(units).toBeGreaterThan(3)
  expect(errorOf(selkie('run', 'resume', id, '--store', store))).toMatchObject({
    status: 1,
    code: 'disk_full',
  })

  expect(spawnSync('mount', ['-o', 'remount,size=8m', disk]).status).toBe(0)
  expect(resume(store, id).headHash).toBe(undisturbed.headHash)
  expectSound(store, true)
})
