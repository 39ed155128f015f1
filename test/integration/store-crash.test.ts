/** Processes that are killed, and a disk that is full: nothing acknowledged is lost, nothing is there twice or in half. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { fsck } from '../../src-core/store/fsck.ts'
import { isStoreLocked } from '../../src-core/store/lock.ts'
import { openStore } from '../../src-core/store/store.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import type { StoreProblem } from '../../src-shared/records.ts'
import { answerRow, everyRow, fill } from '../fixtures/store-rows.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const writer = join(import.meta.dirname, '../fixtures/store-writer.ts')
const firstRow = everyRow.slice(0, 1)

const errors = (path: string): readonly StoreProblem[] =>
  fsck(path, { readData: true }).problems.filter(({ severity }) => severity === 'error')

/** Starts the writer; resolves when it has the store. `output` is what it has said so far. */
async function startWriter(...args: readonly string[]) {
  const child = spawn(process.execPath, [writer, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const lines: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(text))
  const acknowledged = (): number => lines.join('').split('\n').length - 2
  /** Until that many commits have returned. */
  const reaches = async (commits: number): Promise<void> => {
    while (acknowledged() < commits) {
      if (child.exitCode !== null) throw new Error('The writer ended by itself.')
      await sleep(1)
    }
  }
  await reaches(0)
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { pid: child.pid!, kill, reaches, acknowledged }
}

test('the holder of a store is named, readers work beside it, and its lock ends with its life', async () => {
  const path = join(folder, 'held')
  const store = openStore(path)
  fill(store, 'r')
  store.close()
  const holder = await startWriter(path, 'hold')
  expect(() => openStore(path)).toThrow(
    expect.objectContaining({ code: 'conflict', data: { folder: path, pid: holder.pid } }),
  )
  expect(isStoreLocked(path)).toBe(true)
  const reader = openStore(path, { readOnly: true })
  expect(reader.rows('candidates', 'r').length).toBe(2)
  reader.close()
  await holder.kill()
  expect(isStoreLocked(path)).toBe(false)
  const start = performance.now()
  const next = openStore(path)
  expect(performance.now() - start).toBeLessThan(2_000)
  expect(isStoreLocked(path)).toBe(true)
  expect(() => openStore(path)).toThrow(`in use by process ${process.pid}`) // looking did not release it
  next.close()
  expect(isStoreLocked(path)).toBe(false)
  expect(isStoreLocked(join(folder, 'nowhere'))).toBe(false)
})

test(
  'a writer that is killed at any moment loses no acknowledged commit and doubles none',
  { timeout: 120_000 },
  async () => {
    const path = join(folder, 'killed')
    const store = openStore(path)
    fill(store, 'r', firstRow)
    store.close()
    const draw = uniformFloat('moments')
    let rows = 0
    for (let kill = 0; kill < 30; kill++) {
      const child = await startWriter(path)
      await child.reaches(Math.floor(draw() * 8))
      await sleep(draw() * 8)
      await child.kill()
      const again = openStore(path)
      const ids = again.rows('answers', 'r').map(({ id }) => id)
      expect(ids).toEqual(Array.from(ids, (_, index) => `a${index}`))
      expect(ids.length).toBeGreaterThanOrEqual(rows + child.acknowledged())
      expect(ids.length).toBeLessThanOrEqual(rows + child.acknowledged() + 1) // killed between the disk and the line
      rows = ids.length
      const events = again.eventsAfter('r', 3).map(({ data }) => data)
      const seconds = again
        .measurements('r')
        .slice(1)
        .map(({ value }) => value)
      expect([events, seconds]).toEqual([[...ids.keys()], [...ids.keys()]])
      again.close()
    }
    expect(rows).toBeGreaterThan(60)
    expect(errors(path)).toEqual([])

    const undisturbed = openStore(join(folder, 'undisturbed'))
    fill(undisturbed, 'r', firstRow)
    for (let row = 0; row < rows; row++) undisturbed.commit('r', [answerRow(`a${row}`)])
    const disturbed = openStore(path, { readOnly: true })
    expect(disturbed.headHash('r')).toBe(undisturbed.headHash('r'))
    disturbed.close()
    undisturbed.close()
  },
)

const canMount = process.platform === 'linux' && process.getuid?.() === 0
test.skipIf(!canMount)(
  'a full disk is reported, the commit leaves nothing, and there is more to write when there is room again (needs root on Linux for a small file system)',
  () => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    try {
      const path = join(disk, 'store')
      const store = openStore(path)
      fill(store, 'r', firstRow)
      writeFileSync(join(disk, 'filler'), new Uint8Array(200_000))
      const full = expect.objectContaining({ code: 'disk_full' })

      let commits = 0
      const commit = (): void => {
        const rows = [0, 1, 2].map((row) => answerRow(`a${commits * 3 + row}`, { text: 'x'.repeat(2_000) }))
        store.commit('r', rows)
        commits++
      }
      expect(() => {
        for (;;) commit()
      }).toThrow(full)
      expect(commits).toBeGreaterThan(5)
      expect(() => store.putBlob(new Uint8Array(500_000))).toThrow(full)
      expect(readdirSync(join(path, 'blobs')).filter((name) => name.startsWith('.'))).toEqual([])
      expect(store.rows('answers', 'r').length).toBe(commits * 3)
      rmSync(join(disk, 'filler'))
      commit()
      expect(store.rows('answers', 'r').length).toBe(commits * 3)
      store.close()
      expect(errors(path)).toEqual([])

      writeFileSync(join(disk, 'filler'), '')
      expect(() => writeFileSync(join(disk, 'filler'), new Uint8Array(1_000_000))).toThrow(/ENOSPC/)
      expect(() => openStore(join(disk, 'another'))).toThrow(full)
    } finally {
      execFileSync('umount', [disk])
    }
  },
)
