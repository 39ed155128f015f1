/**
 * How long the screens take in a real browser, on a store that is there: `node scripts/bench-ui/measure.ts STORE PAGE`
 * prints what it measured as JSON, or an error in its wire shape. `selkie bench ui --browser` starts it; the store is
 * only read.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { createHost } from '../../src-cli/host.ts'
import { listen } from '../../src-cli/server/listen.ts'
import { createServer } from '../../src-cli/server/server.ts'
import type { BrowserTimings, ScreenTiming } from '../../src-cli/bench-browser.ts'
import { createApiClient, type ApiClient } from '../../src-shared/api/transport.ts'
import { AppError, toWireError } from '../../src-shared/errors.ts'
import { href } from '../../src-shared/routes.ts'
import { findChromium } from './chromium.ts'
import { timeLiveRun } from './live-run.ts'

/** `selector` names what the screen is for: it is there when the first content is. */
type Screen = { readonly name: string; readonly address: string; readonly selector: string }

const repetitions = 9
const framesScrolled = 300
const pixelsPerFrame = 120 // a notch of the wheel
const elsewhere: Screen = { name: 'settings', address: href('settings'), selector: 'main input[name=theme]' }
const adaptersTable = '[role=grid][aria-label=Adapters]'

try {
  const [store = '', pageFolder = ''] = process.argv.slice(2)
  process.stdout.write(JSON.stringify(await measure(store, pageFolder)))
} catch (error) {
  process.stdout.write(JSON.stringify({ error: toWireError(error) }))
}

async function measure(store: string, pageFolder: string): Promise<BrowserTimings> {
  if (!existsSync(join(pageFolder, 'index.html'))) {
    const message = `There is no built page in ${pageFolder}. Build it with "npm run build", or name its folder with --page.`
    throw new AppError('not_found', message, { pageFolder })
  }
  const browser = await launch()
  const app = createHost(store)
  const server = createServer({ app, pageFolder, isReadOnly: true, networkNames: null })
  try {
    const port = await listen(server.http, { type: 'port', host: '127.0.0.1', port: 0 })
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    await page.goto(`http://127.0.0.1:${port}${server.newLink()}`)
    await page.locator('main h1').waitFor()

    const screens: ScreenTiming[] = []
    const shown = await screensOf(createApiClient(app))
    for (const screen of shown) screens.push(await timeScreen(page, screen))
    await show(
      page,
      shown.find(({ name }) => name === 'adapters')!,
    )
    const scrolling = await scroll(page)
    const client = await page.context().newCDPSession(page)
    await client.send('HeapProfiler.collectGarbage')
    const { usedSize } = await client.send('Runtime.getHeapUsage')
    const processBytes = await pageProcessBytes(browser)
    await page.close()
    const live = await timeLiveRun(browser, pageFolder)
    return { screens, scrolling, heapBytes: usedSize, processBytes, live }
  } finally {
    await browser.close()
    await app.dispose()
    await server.close()
  }
}

async function launch(): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === undefined) {
    const message = 'There is no Chromium. Install it ("apt install chromium"), or name one in CHROMIUM_PATH.'
    throw new AppError('not_found', message)
  }
  const { chromium } = await import('playwright-core')
  return await chromium.launch({ executablePath, args: ['--no-sandbox'] })
}

/** Of the largest of the browser's page processes, as one may be kept in reserve. Null outside of Linux. */
async function pageProcessBytes(browser: Browser): Promise<number | null> {
  if (process.platform !== 'linux') return null
  const client = await browser.newBrowserCDPSession()
  const { processInfo } = await client.send('SystemInfo.getProcessInfo')
  const kilobytes = processInfo.flatMap(({ id, type }) => {
    if (type !== 'renderer') return []
    const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]
    return resident === undefined ? [] : [Number(resident)]
  })
  return kilobytes.length > 0 ? Math.max(...kilobytes) * 1024 : null
}

/** The largest run, and two adapters of which only the rows are there: reading weights is no matter of the store. */
async function screensOf(api: ApiClient): Promise<readonly Screen[]> {
  const runs = await api.call('runs.page', { search: '', offset: 0, limit: 1000 })
  const largest = runs.rows.toSorted((a, b) => b.candidates - a.candidates)[0]
  const page = {
    search: '',
    keptOnly: false,
    sort: 'steps',
    direction: 'descending',
    offset: 0,
    limit: 1000,
  } as const
  const { rows } = await api.call('adapters.page', page)
  const compared = rows.filter(({ isKept }) => !isKept).slice(0, 2)
  if (!largest || compared.length < 2) {
    const message =
      'The store has no run with adapters. Make a large one with `node scripts/bench-store/make.ts FOLDER`.'
    throw new AppError('not_found', message)
  }
  const a = compared.map(({ runId, key }) => `${runId}/${key}`)
  return [
    { name: 'home', address: href(), selector: '[role=grid][aria-label=Runs] [aria-rowindex="3"]' },
    { name: 'run', address: href('runs', largest.id), selector: 'main [role=application] canvas' },
    { name: 'adapters', address: href('adapters'), selector: `${adaptersTable} [aria-rowindex="3"] bdi` },
    {
      name: 'compare',
      address: href('compare', { a }),
      selector: 'main [aria-label="Adapters compared"] td',
    },
  ]
}

async function timeScreen(page: Page, screen: Screen): Promise<ScreenTiming> {
  const milliseconds: number[] = []
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    await show(page, elsewhere)
    milliseconds.push(await show(page, screen))
  }
  const warm = milliseconds.slice(1) // the first loads the screen's code
  return { name: screen.name, medianMs: quantile(warm, 0.5), p95Ms: quantile(warm, 0.95) }
}

/** From the change of the address to the frame after the one with the content, in milliseconds. */
async function show(page: Page, { address, selector }: Screen): Promise<number> {
  return await page.evaluate(
    async ([address, selector]) => {
      const frame = (): Promise<number> => new Promise(requestAnimationFrame)
      const deadline = performance.now() + 30_000
      const started = performance.now()
      location.hash = address
      do {
        await frame()
        if (performance.now() > deadline) throw new Error(`Nothing matched ${selector} within 30 s.`)
      } while (!document.querySelector(selector))
      await frame()
      const ended = performance.now()
      await new Promise((resolve) => setTimeout(resolve, 200)) // what the screen does afterwards is not the next one's
      return ended - started
    },
    [address, selector] as const,
  )
}

/** Scrolls a table, and measures from frame to frame. */
async function scroll(page: Page): Promise<BrowserTimings['scrolling']> {
  const milliseconds = await page.evaluate(
    async ([selector, frames, pixels]) => {
      const table = document.querySelector(selector)!
      const frame = (): Promise<number> => new Promise(requestAnimationFrame)
      const lengths: number[] = []
      let before = await frame()
      for (let count = 0; count < frames; count++) {
        table.scrollTop += pixels
        const now = await frame()
        lengths.push(now - before)
        before = now
      }
      return lengths
    },
    [adaptersTable, framesScrolled, pixelsPerFrame] as const,
  )
  return {
    frames: milliseconds.length,
    medianMs: quantile(milliseconds, 0.5),
    p95Ms: quantile(milliseconds, 0.95),
    longestMs: Math.max(...milliseconds),
  }
}

/** By the nearest rank. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1]!
}
