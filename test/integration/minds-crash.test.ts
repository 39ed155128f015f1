/** Minds whose process is killed while they learn, merge, revert and are exported: as they were, or as they are after, never between. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { fsck } from '../../src-core/store/fsck.ts'
import { openStore } from '../../src-core/store/store.ts'
import { reading } from '../fixtures/reading.ts'
import { foldMind, type MindState } from '../../src-shared/minds/fold.ts'
import type { MindEvent } from '../../src-shared/minds/mind.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { selkie, startSelkie, type Finished } from './tiny-run.ts'

const folder = temporaryFolder()
const kills = Number(process.env['SELKIE_KILLS'] ?? 12)
let folders = 0

/** A command that changes the mind, or writes a file of it, and what is there when it has. */
type Work = {
  readonly name: string
  readonly command: (mind: string, out: string) => readonly string[]
  readonly isMerged: boolean // before
  readonly outcome: (state: MindState) => unknown
}
const learned = ({ edits, merge }: MindState): unknown => [
  edits.map(({ edit, isEnabled, scale }) => [edit.id, edit.adapterSha256, isEnabled, scale]),
  merge?.sha256,
]
const works: readonly Work[] = [
  {
    ...{ name: 'learn', isMerged: false, outcome: learned },
    command: (mind) => ['learn', mind, '--task', 'GHA', '--samples', '2'],
  },
  { ...{ name: 'merge', isMerged: false, outcome: learned }, command: (mind) => ['merge', mind] },
  { ...{ name: 'revert', isMerged: true, outcome: learned }, command: (mind) => ['revert', mind, 'e1'] },
  {
    ...{ name: 'export', isMerged: false, outcome: learned },
    command: (mind, out) => ['export', mind, '--merged', '--out', out],
  },
]

type Reference = {
  readonly ms: number // of the undisturbed command
  readonly events: readonly MindEvent[] // before it
  readonly after: unknown
  readonly fileSha256: string | null // of the exported file
}
const prepared: Record<'loose' | 'merged', string> = {
  loose: join(folder, 'loose'),
  merged: join(folder, 'merged'),
}
const references = new Map<Work, Reference>()
let mind: string

beforeAll(() => {
  const about = ['--strategy', 'stack', '--no-general', '--min-gain', '0', '--max-forgetting', '100']
  mind = (done('mind', 'new', 'a', ...about, '--store', prepared.loose).output as { id: string }).id
  for (const task of ['RWA', 'KEN'])
    done('mind', 'learn', mind, '--task', task, '--samples', '1', '--store', prepared.loose)
  cpSync(prepared.loose, prepared.merged, { recursive: true })
  done('mind', 'merge', mind, '--store', prepared.merged)
  for (const work of works) {
    const { store, out } = copyFor(work)
    const events = reading(store, (each) => each.mindEvents(mind))
    const started = performance.now()
    done('mind', ...work.command(mind, out), '--store', store)
    const ms = performance.now() - started
    references.set(work, { ms, events, after: outcomeIn(store, work), fileSha256: hashOf(out) })
  }
}, 120_000)

function done(...args: readonly string[]): Finished {
  const finished = selkie(...args)
  expect([finished.status, finished.output]).toEqual([0, expect.anything()])
  return finished
}

function copyFor({ isMerged }: Work): { readonly store: string; readonly out: string } {
  const place = join(folder, `copy-${folders++}`)
  mkdirSync(place)
  cpSync(isMerged ? prepared.merged : prepared.loose, join(place, 'store'), { recursive: true })
  return { store: join(place, 'store'), out: join(place, 'out.gguf') }
}

const outcomeIn = (store: string, { outcome }: Work): unknown =>
  outcome(foldMind(reading(store, (each) => each.mindEvents(mind))))

const hashOf = (path: string): string | null =>
  existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : null

const partialsIn = (place: string): string[] =>
  readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.partial'))

const blobsIn = (store: string): number => readdirSync(join(store, 'blobs'), { recursive: true }).length

/** Moments at which what is on the disk is the least complete: between a file and its row, and just after. */
const moments = ['random', 'random', 'a new file', 'the event', 'half-written'] as const
type Moment = (typeof moments)[number]

async function until(
  moment: Moment,
  ms: number,
  store: string,
  out: string,
  isOver: () => boolean,
): Promise<void> {
  if (moment === 'random') {
    await sleep(ms)
    return
  }
  const before = { blobs: blobsIn(store), events: reading(store, (each) => each.mindEvents(mind).length) }
  const isThere = {
    'a new file': () => blobsIn(store) > before.blobs,
    'the event': () => reading(store, (each) => each.mindEvents(mind).length) > before.events,
    'half-written': () =>
      [join(store, 'work'), join(out, '..')].some(
        (place) => existsSync(place) && partialsIn(place).length > 0,
      ),
  }[moment]
  while (!isOver() && !reads(isThere)) await sleep(1)
}

/** A folder may go while it is listed. */
function reads(look: () => boolean): boolean {
  try {
    return look()
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return false
    throw error
  }
}

const victims =
  process.platform === 'win32'
    ? (['host'] as const)
    : (['host', 'host', 'generator', 'host', 'trainer'] as const)

/** Ends a process or its child at once; false if there is no such child at the moment. */
function kill(pid: number, victim: (typeof victims)[number]): boolean {
  if (victim === 'host') return process.kill(pid, 'SIGKILL')
  const { stdout } = spawnSync('pgrep', ['-P', String(pid), '-f', `${victim}/main`], { encoding: 'utf8' })
  return stdout.trim() !== '' && spawnSync('kill', ['-9', stdout.trim()]).status === 0
}

test(
  `whoever is killed at ${kills} moments, a mind is as it was or as it is after`,
  { timeout: 60_000 + 25_000 * kills },
  async () => {
    const random = uniformFloat('kills of minds', kills)
    const count = { before: 0, after: 0, finished: 0, host: 0, generator: 0, trainer: 0 }
    const byMoment: Record<string, number> = {}
    const killed = (): number => count.host + count.generator + count.trainer
    for (let number = 0; killed() < kills; number++) {
      const work = works[number % works.length]!
      const { ms, events, after, fileSha256 } = references.get(work)!
      const { store, out } = copyFor(work)
      const victim = victims[number % victims.length]!
      const moment = moments[Math.floor(number / works.length) % moments.length]!
      const { child, finished } = startSelkie('mind', ...work.command(mind, out), '--store', store)
      const isOver = (): boolean => child.exitCode !== null
      await until(moment, random() * ms, store, out, isOver)
      let wasKilled = false
      while (!isOver() && !(wasKilled = kill(child.pid!, victim))) await Promise.race([sleep(10), finished])
      const { status, output } = await finished
      const what = `${number}: ${work.name}, ${victim} at ${moment}`
      if (!wasKilled) count.finished++
      else {
        count[victim]++
        byMoment[moment] = (byMoment[moment] ?? 0) + 1
      }

      const now = reading(store, (each) => each.mindEvents(mind))
      expect(now.slice(0, events.length), what).toEqual(events)
      expect(now.length - events.length, what).toBeLessThanOrEqual(1)
      const isAfter = work.name === 'export' ? hashOf(out) !== null : now.length > events.length
      // A compute process that is killed is started again: the command does its work all the same.
      if (victim !== 'host' || !wasKilled)
        expect([what, status, output]).toEqual([what, 0, expect.anything()])
      if (status === 0) expect(isAfter, what).toBe(true)
      if (isAfter) {
        expect(outcomeIn(store, work), what).toEqual(after)
        expect(hashOf(out), what).toBe(fileSha256)
      }
      count[isAfter ? 'after' : 'before']++
      expectSound(store, true)

      // Done again, or for the first time: what the killed process left is gone.
      if (!isAfter) {
        done('mind', ...work.command(mind, out), '--store', store)
        expect(outcomeIn(store, work), what).toEqual(after)
        expect(hashOf(out), what).toBe(fileSha256)
      }
      openStore(store).close()
      done('mind', 'scale', mind, 'e2', '--scale', '0.5', '--store', store)
      expectSound(store, true)
      expect(readdirSync(store).includes('work'), what).toBe(false)
      expect(partialsIn(store), what).toEqual([])
      // Beside an export that was killed lies a folder with a name that says what it is.
      const beside = readdirSync(join(store, '..')).filter(
        (name) => !/^(store|out\.gguf|\..*\.partial)$/.test(name),
      )
      expect(beside, what).toEqual([])
    }
    expect(count.before).toBeGreaterThan(0)
    console.log(
      `${kills} kills: ${count.host} of the host, ${count.generator} of the generator, ${count.trainer} of the trainer, ` +
        `${count.finished} more came too late; ${count.before} minds as before, ${count.after} as after; ${JSON.stringify(byMoment)}`,
    )
  },
)

/** Nothing is damaged; files that no row speaks of may be left over. */
function expectSound(store: string, leftovers = false): void {
  const { problems } = fsck(store, { readData: true })
  expect(problems.filter(({ severity }) => leftovers && severity === 'warning')).toEqual(problems)
}
