/**
 * How a page keeps up with a run that is worked on: an invented run is written into a store of its own, so many
 * commits a second, while a real browser shows its rounds over the server's WebSocket.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { createHost } from '../../src-cli/host.ts'
import type { App } from '../../src-core/app.ts'
import { parseRecipe } from '../../src-core/recipes/parse-recipe.ts'
import { openStore, type Store } from '../../src-core/store/store.ts'
import { listen } from '../../src-cli/server/listen.ts'
import { createServer } from '../../src-cli/server/server.ts'
import type { LiveTiming } from '../../src-cli/bench-browser.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import type { RunEvent } from '../../src-shared/records.ts'
import { href } from '../../src-shared/routes.ts'
import { benchModel, recipeText } from '../bench-store/recipe.ts'
import { inventRun, type Shape } from '../bench-store/run-rows.ts'
import { inventTasks, makeTaskset } from '../bench-store/tasks.ts'

const eventsPerSecond = 50
const seconds = 10
/** The last candidates are those of the last round: no policy is left to evaluate. */
const shape: Shape = { rounds: 4, groupSize: 5, tasksPerRound: 25, evaluated: 250, heldOut: 50 }
const id = 'live'

/** A tenth of the run is there when the page opens; the rest comes while it is shown. */
export async function timeLiveRun(browser: Browser, pageFolder: string): Promise<LiveTiming> {
  const folder = mkdtempSync(join(tmpdir(), 'selkie-live-'))
  const store = openStore(folder)
  const app = createHost(folder)
  const listeners = new Set<(name: string, payload: unknown) => void>()
  const server = createServer({
    app: withNews(app, listeners),
    pageFolder,
    isReadOnly: true,
    networkNames: null,
  })
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  try {
    const rows = createRun(store)
    mkdirSync(join(folder, 'work', id), { recursive: true }) // it says that a process works on the run
    const begun = Math.floor(rows.length / 10)
    store.commit(id, rows.slice(0, begun), { events: [{ type: 'running', data: null }] })
    const port = await listen(server.http, { type: 'port', host: '127.0.0.1', port: 0 })
    await page.goto(`http://127.0.0.1:${port}${server.newLink()}`)
    await page.locator('main h1').waitFor()
    await page.evaluate((address) => void (location.hash = address), href('runs', id))
    await page.locator('main [role=application] canvas').first().waitFor()
    await watchTasks(page)

    const total = eventsPerSecond * seconds
    const started = performance.now()
    for (let index = 0; index < total; index++) {
      const from = begun + Math.floor(((rows.length - begun) * index) / total)
      const to = begun + Math.floor(((rows.length - begun) * (index + 1)) / total)
      const event = store.commit(id, rows.slice(from, to), {
        events: [{ type: 'unit', data: unit(index, total) }],
      })
      for (const news of event) tell(listeners, news)
      await sleep(Math.max(0, started + (index + 1) * (1000 / eventsPerSecond) - performance.now()))
    }
    const written = performance.now()
    await page.waitForFunction(
      ([round, cells]) =>
        Array.from(document.querySelectorAll('select'), ({ value }) => value).includes(round) &&
        document.body.textContent.includes(cells),
      [`round-${shape.rounds - 1}`, `n = ${shape.tasksPerRound * shape.groupSize} candidates`] as const,
      { timeout: 30_000 },
    )
    return {
      events: total,
      eventsPerSecond: total / ((written - started) / 1000),
      behindMs: performance.now() - written,
      ...(await page.evaluate(() => (window as unknown as { longTasks: number[] }).longTasks).then(longest)),
    }
  } finally {
    await page.close()
    await app.dispose()
    await server.close()
    store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function createRun(store: Store) {
  const tasks = inventTasks(240, 4)
  const taskset = makeTaskset(tasks)
  const recipeToml = recipeText(0, shape)
  const recipe = parseRecipe(recipeToml, 'invented.toml')
  store.addModel(benchModel)
  store.addTaskset(taskset, 'invented')
  store.createRun({
    ...{ id, name: recipe.name, kind: 'seal', recipeToml, config: recipe, seed: recipe.seed },
    ...{ modelSha256: benchModel.sha256, tasksetSha256: taskset.sha256, codeVersion: '0.1.0' },
  })
  const blobs = [store.putBlob(new TextEncoder().encode('adapter'.padEnd(32)))]
  return inventRun({ shape, recipe, tasks, blobs, draw: uniformFloat('live') }).rows
}

const unit = (done: number, total: number) => ({
  phase: 'trying',
  text: 'tasks',
  done,
  total,
  round: 0,
  seconds: 0.02,
})

/** The host's events, and those of the run that is written beside it. */
function withNews(app: App, listeners: Set<(name: string, payload: unknown) => void>): App {
  return {
    ...app,
    subscribe: (listener) => {
      const unsubscribe = app.subscribe(listener)
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        unsubscribe()
      }
    },
  }
}

function tell(listeners: ReadonlySet<(name: string, payload: unknown) => void>, event: RunEvent): void {
  for (const listener of [...listeners]) listener('run', { type: 'event', event })
}

/** Tasks of the main thread that take 50 ms or more, as browsers count them. */
async function watchTasks(page: Page): Promise<void> {
  await page.evaluate(() => {
    const tasks: number[] = []
    ;(window as unknown as { longTasks: number[] }).longTasks = tasks
    new PerformanceObserver((list) =>
      tasks.push(...list.getEntries().map(({ duration }) => duration)),
    ).observe({
      type: 'longtask',
    })
  })
}

const longest = (tasks: readonly number[]): Pick<LiveTiming, 'longTasks' | 'longestTaskMs'> => ({
  longTasks: tasks.length,
  longestTaskMs: tasks.length === 0 ? null : Math.max(...tasks),
})
