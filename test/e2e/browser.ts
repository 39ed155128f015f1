/**
 * The workbench as a person has it: `selkie serve` with the built page, in a real Chromium. Whatever goes wrong in the
 * page beside what a test looks at is collected, so that a journey can end by saying that nothing did.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, describe, inject } from 'vitest'
import { createHost } from '../../src-cli/host.ts'
import type { App } from '../../src-core/app.ts'
import { serverFixture } from '../fixtures/server.ts'
import { findChromium } from '../../scripts/bench-ui/chromium.ts'

const executablePath = findChromium()
if (executablePath === undefined)
  console.warn('SKIPPED: the tests in a browser. Install Chromium, or name it in CHROMIUM_PATH.')

export const describeInBrowser = describe.skipIf(executablePath === undefined)

export const themes = ['light', 'dark'] as const
export const patienceMs = 20_000 // for one thing to appear, on a machine that has other work

export type Workbench = {
  readonly page: Page
  readonly app: App
  /** Errors of the console, requests that failed, what the content security policy forbade, dialogs; in their order. */
  readonly problems: readonly string[]
  /** Shows a screen, by an address as `href` makes it, and waits for its heading. */
  visit(address: string): Promise<void>
}

/** Call at the top of a test file: what is opened ends with the file. */
export function browserFixture() {
  const { startServer } = serverFixture()
  const endings: (() => Promise<void>)[] = []
  let browser: Browser | undefined
  afterAll(async () => {
    await browser?.close()
    for (const end of endings) await end()
  })
  return {
    /** A signed-in page on a store, 1280 × 800. */
    async openWorkbench(storeFolder: string): Promise<Workbench> {
      const app = createHost(storeFolder)
      endings.push(() => app.dispose())
      const { server, port } = await startServer({ app, pageFolder: inject('pageFolder') })
      browser ??= await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] })
      const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        locale: 'en-GB',
        reducedMotion: 'reduce',
      })
      const page = await context.newPage()
      page.setDefaultTimeout(patienceMs)
      const problems = await watch(page)
      const base = `http://127.0.0.1:${port}`
      await page.goto(base + server.newLink())
      await page.waitForURL(`${base}/`)
      return {
        page,
        app,
        problems,
        async visit(address) {
          await page.goto(`${base}/${address}`) // another fragment: the page stays
          await page.locator('main h1').first().waitFor()
        },
      }
    },
  }
}

async function watch(page: Page): Promise<readonly string[]> {
  const problems: string[] = []
  const note = (what: string, text: string): void => void problems.push(`${what}: ${text}`)
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile }) =>
      console.error(`forbidden by ${violatedDirective}: ${blockedURI} in ${sourceFile}`),
    )
  })
  page.on('console', (message) => message.type() === 'error' && note('console', message.text()))
  page.on('pageerror', (error) => note('error', error.stack ?? error.message))
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? 'failed'
    if (reason !== 'net::ERR_ABORTED') note(reason, request.url()) // that is a page which is being left
  })
  page.on('response', (response) => response.status() >= 400 && note(`${response.status()}`, response.url()))
  page.on('dialog', (dialog) => {
    note(dialog.type(), dialog.message())
    void dialog.dismiss()
  })
  return problems
}

/** Has the page drawn in a theme: the system's, which the workbench follows unless it was told otherwise. */
export async function show(page: Page, theme: (typeof themes)[number]): Promise<void> {
  await page.emulateMedia({ colorScheme: theme })
  await page.locator(`html[data-theme=${theme}]`).waitFor()
  // Charts are drawn anew: once the frame after the next has come, they are on the screen.
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  )
}

const pictureFolder = process.env['SELKIE_SCREENSHOTS']
if (pictureFolder) mkdirSync(pictureFolder, { recursive: true })

/**
 * Shows the page in both themes. Where the environment names a folder, SELKIE_SCREENSHOTS, there are pictures in it then:
 * NAME-light.png, NAME-dark.png, and for a screen that is longer than the window one more for each further windowful,
 * NAME-2-light.png.
 */
export async function takePictures(page: Page, name: string): Promise<void> {
  for (const theme of themes) {
    await show(page, theme)
    for (let part = 1; pictureFolder; part++) {
      const place = part === 1 ? '' : `-${part}`
      await page.screenshot({ path: join(pictureFolder, `${name}${place}-${theme}.png`) })
      if (!(await scrollOn(page))) break
    }
    await page.locator('main').evaluate((main) => void (main.scrollTop = 0))
  }
  await show(page, 'light')
}

/** By almost a windowful. False at the end, and behind a dialog. */
const scrollOn = async (page: Page): Promise<boolean> =>
  await page.locator('main').evaluate((main) => {
    if (document.querySelector('dialog[open]')) return false
    const before = main.scrollTop
    main.scrollTop += main.clientHeight - 60
    return main.scrollTop > before + 8
  })
