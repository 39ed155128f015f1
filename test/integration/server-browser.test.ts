/** The way in, in a real browser: the link’s code leaves the address and the history, and the session stays. */
import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, expect, test } from 'vitest'
import { createHost } from '../../src-cli/host.ts'
import { serverFixture, writePage } from '../fixtures/server.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
const folder = temporaryFolder()
const { startServer } = serverFixture()
let browser: Browser | undefined
afterAll(() => browser?.close())

test.skipIf(!existsSync(executablePath))(
  'a link signs the browser in once; reload and a second window stay signed in, another browser does not',
  async () => {
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    const { server, port } = await startServer({ app: createHost(folder), pageFolder: writePage(folder) })
    const base = `http://127.0.0.1:${port}`
    const link = base + server.newLink()
    const person = await browser.newContext()
    const page = await person.newPage()
    const problems: string[] = []
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    page.on('pageerror', (error) => problems.push(error.message))

    await page.goto(base)
    expect(await page.textContent('h1')).toBe('This browser is not signed in')
    problems.length = 0 // the browser reports the 401
    await page.goto(link)
    await page.waitForURL(`${base}/`)
    expect(await page.title()).toBe('Selkie')
    await page.reload()
    expect(await page.title()).toBe('Selkie')
    const second = await person.newPage()
    await second.goto(base)
    expect(await second.title()).toBe('Selkie')
    await second.goto(link) // used, but this browser is in
    await second.waitForURL(`${base}/`)

    await page.goBack() // over the way in, which left no entry
    expect(page.url()).toBe(`${base}/`)
    expect(problems).toEqual([])

    const stranger = await (await browser.newContext()).newPage()
    await stranger.goto(link)
    await stranger.waitForSelector('#refused:visible')
    expect([stranger.url(), await stranger.textContent('h1')]).toEqual([
      `${base}/enter`,
      'This link does not work any more',
    ])
  },
)
