/** What the screens show of a run while this host works on it. The loop is real, the compute processes are played. */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Runs } from '../../src-core/runs/runs.ts'
import { createLoadMeter } from '../../src-core/system/load-meter.ts'
import { ArmsByNow } from '../../src-core/views/arms.ts'
import { viewRun } from '../../src-core/views/run-view.ts'
import { createViews, type Views } from '../../src-core/views/views.ts'
import type { RunNews } from '../../src-shared/api/runs.ts'
import type { ComputePort, GenerateInput, TrainInput } from '../../src-shared/compute-protocol.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { writeTinyRun } from '../integration/tiny-run.ts'

const folder = temporaryFolder()
const recipePath = writeTinyRun(folder)

/** Waits before the training number `stopAt` (from 0) until it is released. */
class Gate {
  readonly reached = Promise.withResolvers<void>()
  readonly released = Promise.withResolvers<void>()
  #trainings = 0
  readonly #stopAt: number

  constructor(stopAt: number) {
    this.#stopAt = stopAt
  }

  async pass(): Promise<void> {
    if (this.#trainings++ !== this.#stopAt) return
    this.reached.resolve()
    await this.released.promise
  }
}

/** Every text and every adapter is the same but for its seed. */
function play(gate: Gate): ComputePort {
  const answers = {
    'generator.tokenize': async ({ texts }: { readonly texts: readonly string[] }) => ({
      texts: texts.map(() => Int32Array.of(1, 2)),
    }),
    'generator.generate': async ({ prompts }: GenerateInput) => ({
      completions: prompts.map(({ seeds }) =>
        seeds.map((seed) => ({ text: `b d ${seed}`, tokens: 3, finishReason: 'end', seed, logProb: -1 })),
      ),
    }),
    'trainer.train': async ({ jobs }: TrainInput) => {
      await gate.pass()
      return {
        adapters: jobs.map(({ seed, adapterPath }) => {
          const bytes = `adapter ${seed}`
          writeFileSync(adapterPath, bytes)
          const sha256 = createHash('sha256').update(bytes).digest('hex')
          return { adapter: adapterPath, sha256, steps: 2, losses: [2, 1], seed }
        }),
      }
    },
  }
  return {
    request: async (method, input) =>
      (await answers[method as keyof typeof answers](input as never)) as never, // sound: the loop makes no other requests
  }
}

type Working = {
  readonly runs: Runs
  readonly views: Views
  readonly news: RunNews[]
  readonly gate: Gate
  readonly ended: Promise<void>
}

function host(name: string, stopAt: number): Working {
  const storeFolder = join(folder, name)
  mkdirSync(storeFolder)
  const gate = new Gate(stopAt)
  const news: RunNews[] = []
  const ended = Promise.withResolvers<void>()
  const runs = new Runs({
    compute: play(gate),
    resolveModel: async (path) => path,
    recipesFolder: folder,
    tasksetsFolder: folder,
    env: {},
    storeFolder,
    codeVersion: '0',
    meterLoad: () => createLoadMeter(() => []),
    emit: (item) => {
      news.push(item)
      if (item.type === 'event' && ['done', 'failed'].includes(item.event.type)) ended.resolve()
    },
  })
  const views = createViews({ runs, storeFolder, downloadFolder: join(storeFolder, 'models') })
  return { runs, views, news, gate, ended: ended.promise }
}

test('in the middle of a run its progress is known to who comes later, and a person can already say something', async () => {
  const { runs, views, news, gate, ended } = host('live', 3)
  const { id } = await runs.start(recipePath)
  await gate.reached.promise

  const { progress, report, arms, lastEvent, phases } = views['runs.view']({ id })
  expect(progress).toEqual(news.flatMap((item) => (item.type === 'progress' ? [item.progress] : [])).at(-1))
  expect(progress).toMatchObject({ runId: id, phase: 'trying' })
  const told = news.flatMap((item) => (item.type === 'event' ? [item.event.sequence] : []))
  expect([report.isWorkedOn, report.run.status, lastEvent]).toEqual([true, 'running', told.at(-1)])
  expect(arms.map(({ name }) => name)).toEqual(['frozen', 'bare-passage', 'policy-0', 'passage-in-prompt'])
  expect(new Set(phases.map(({ phase, round }) => `${phase} ${round}`))).toContain('evaluating 0')
  expect(views['runs.page']({ search: '', offset: 0, limit: 1 }).rows).toEqual([
    expect.objectContaining({ id, status: 'running', isWorkedOn: true, progress }),
  ])

  const candidateId = views['runs.candidates']({ id }).ids[0]!
  const review = views['runs.review']({ id, candidateId, verdict: 'flag', note: 'while it runs' })
  expect(views['runs.candidate']({ id, candidateId }).reviews).toEqual([review])
  expect(news.at(-1)).toMatchObject({ type: 'event', event: { type: 'review', sequence: lastEvent + 1 } })

  gate.released.resolve()
  await ended
  const after = views['runs.view']({ id })
  expect([after.progress, after.report.run.status, after.rounds.length]).toEqual([null, 'done', 2])
  expect(after.arms).toEqual(after.report.summary!.arms)
  expect(views['runs.candidate']({ id, candidateId }).reviews).toEqual([review])
  await runs.dispose()
})

test('the arms of a run that has all its answers but no summary yet are those of the summary', async () => {
  const { runs, views, ended, gate } = host('summary', 0)
  gate.released.resolve()
  const { id } = await runs.start(recipePath)
  await ended
  const { summary } = runs.show(id)
  const { arms } = runs.read((store) => viewRun(store, { ...runs.show(id), summary: null }, new ArmsByNow()))
  expect(arms).toEqual(summary!.arms)
  expect(views['runs.view']({ id }).phases.every(({ seconds }) => seconds >= 0)).toBe(true)
  await runs.dispose()
})
