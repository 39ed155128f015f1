/** Texts that mean harm, wherever a text can stand: nothing of them runs, loads, or breaks the layout of a screen. */
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { href } from '../../src-shared/routes.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { browserFixture, describeInBrowser, takePictures, type Workbench } from './browser.ts'
import { hostileTexts, megabyteLine } from './hostile-texts.ts'
import { writeTextStore, type TextStore } from './text-store.ts'

const folder = join(temporaryFolder(), 'store')
const { openWorkbench } = browserFixture()

/** What the page would show if a text had become more than a text. Runs in the browser. */
const lookForHarm = () => {
  const main = document.querySelector('main')!
  const foreign = [
    ...document.querySelectorAll('#app :is(script,iframe,object,embed,base,meta,link,style,math)'),
  ]
  const links = [...document.querySelectorAll('#app a[href]')].map((link) => link.getAttribute('href')!)
  return {
    executed: (window as { pwned?: number }).pwned ?? 0,
    foreign: foreign.map(({ tagName }) => tagName),
    handlers: document.querySelectorAll('#app :is([onerror],[onload],[onfocus],[onmouseover],[ontoggle])')
      .length,
    links: links.filter((link) => new URL(link, location.href).origin !== location.origin),
    pageIsWider: document.documentElement.scrollWidth > innerWidth,
    pageIsTaller: document.documentElement.scrollHeight > innerHeight, // only the screen in it scrolls
    mainIsWider: main.scrollWidth > main.clientWidth,
  }
}
const noHarm: ReturnType<typeof lookForHarm> = {
  ...{
    executed: 0,
    foreign: [],
    handlers: 0,
    links: [],
    pageIsWider: false,
    pageIsTaller: false,
    mainIsWider: false,
  },
}

describeInBrowser('a store full of hostile texts', { timeout: 300_000 }, () => {
  let written: TextStore
  let workbench: Workbench
  let page: Page
  beforeAll(async () => {
    expect(hostileTexts).toHaveLength(200)
    written = writeTextStore(folder, [...hostileTexts, megabyteLine])
    workbench = await openWorkbench(folder)
    page = workbench.page
  }, 120_000)

  /** Shows a screen, waits for what it is about, and has it answer to a click. */
  async function inspect(name: string, address: string, content: () => Promise<void>): Promise<void> {
    await workbench.visit(address)
    await content()
    expect({ name, ...(await page.evaluate(lookForHarm)) }).toEqual({ name, ...noHarm })
    await takePictures(page, `hostile-${name}`)
    await page.getByRole('link', { name: 'Settings' }).click()
    await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor()
  }
  const rowsOf = (table: string) => (): Promise<void> =>
    page.getByRole('grid', { name: table, exact: true }).getByRole('row').nth(2).waitFor()
  const sees = (text: string | RegExp) => (): Promise<void> => page.getByText(text).first().waitFor()

  test('no screen of the run, its adapters and the models lets a text become more than a text', async () => {
    const { runId, failedRunIds, keptKeys } = written
    const run = (tab: string, more = {}): string => href('runs', runId, { tab, ...more })
    await inspect('home', href(), rowsOf('Runs'))
    await inspect('run-rounds', run('rounds'), sees(/candidates; a cell opens/))
    await inspect('run-candidates', run('candidates'), rowsOf('Candidates'))
    await inspect('run-arms', run('arms', { arm: 'policy-0' }), sees('What one self-edit did'))
    await inspect('run-configuration', run('configuration'), sees('What it rests on'))
    await inspect('run-failed', href('runs', failedRunIds[2]!), sees(/Resume tries the rest again/))
    await inspect('adapters', href('adapters'), rowsOf('Adapters'))
    await inspect('adapters-run', href('adapters', { run: runId }), rowsOf('Adapters'))
    await inspect('lineage', href('adapters', { run: runId, view: 'lineage' }), sees('Policy versions'))
    const pair = keptKeys.map((key) => `${runId}/${key}`)
    await inspect('compare', href('compare', { a: pair }), sees('Shared subspace'))
    await inspect('models', href('models'), rowsOf('Models'))
    await inspect('store', href('store'), sees('Disk use'))
    await inspect('nowhere', href('runs', hostileTexts[0]!), sees(/Run/))
  })

  test('no screen of a mind does either', async () => {
    const { mindId } = written
    const mind = (tab: string, more = {}): string => href('minds', mindId, { tab, ...more })
    await inspect('minds', href('minds'), sees('1 row'))
    await inspect('mind', mind('timeline'), sees('History'))
    await inspect('mind-edit', mind('timeline', { edit: 'e3' }), sees('Self-edits it chose among'))
    await inspect('mind-event', mind('timeline', { event: '33' }), sees(/before and after/))
    await inspect(
      'mind-time-machine',
      mind('time-machine', { question: hostileTexts[0] }),
      sees('Nothing was asked yet.'),
    )
    await inspect('mind-blame', mind('blame'), sees('No answer was looked into yet.'))
    await inspect('mind-forgetting', mind('forgetting', { cell: '2,1' }), sees('Close'))
    await inspect('mind-certificates', mind('certificates'), sees('Learned on top'))
    await inspect('mind-files', mind('files'), sees('What the latest merge cost'))
    await workbench.visit(mind('timeline'))
    for (const [open, title] of [
      ['Learn …', 'Learn a passage'],
      ['Fork …', 'Fork this mind'],
      ['Revert …', 'Take this edit out?'],
    ] as const) {
      await page.getByRole('button', { name: open }).first().click()
      await page.getByRole('dialog', { name: title }).waitFor()
      expect({ title, ...(await page.evaluate(lookForHarm)) }).toEqual({ title, ...noHarm })
      await page.keyboard.press('Escape')
    }
  })

  test('not one of the candidates does, and going on by key stays quick', async () => {
    const { runId, candidateIds } = written
    await workbench.visit(href('runs', runId, 'candidates', candidateIds[0]!))
    for (const [index, id] of candidateIds.entries()) {
      if (index > 0) await page.keyboard.press('j')
      await page.waitForURL((url) => url.hash === new URL(href('runs', runId, 'candidates', id), url).hash)
      await page
        .locator('main header[aria-busy=false] h1')
        .filter({ hasText: `candidate ${index % 2}` })
        .waitFor()
      expect({ id, ...(await page.evaluate(lookForHarm)) }).toEqual({ id, ...noHarm })
    }
  })

  test('a line of a megabyte is folded, and the page stays usable', async () => {
    await workbench.visit(href('runs', written.runId, { tab: 'candidates', group: 'policy-0' }))
    await page.getByRole('grid', { name: 'Candidates' }).focus()
    await page.keyboard.press('End')
    await page.keyboard.press('Enter')
    await page.locator('main header h1').filter({ hasText: 'mmmm' }).waitFor()
    expect(await page.evaluate(lookForHarm)).toEqual(noHarm)
    await takePictures(page, 'hostile-megabyte')
    await page.getByRole('button', { name: 'Keys' }).click()
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
  })

  test('what one types is no more trusted than what is stored', async () => {
    for (const text of hostileTexts.slice(0, 3)) {
      const { runId, keptKeys } = written
      const address = href('playground', { question: text, title: text, a: `${runId}/${keptKeys[0]}` })
      await workbench.visit(address)
      await page.getByRole('button', { name: 'Ask', exact: true }).click()
      await page
        .getByText(/^\d+ tokens?, /)
        .first()
        .or(page.getByRole('alert'))
        .waitFor({ timeout: 60_000 })
      expect(await page.evaluate(lookForHarm)).toEqual(noHarm)
    }
    await takePictures(page, 'hostile-playground')
    await workbench.visit(href())
    await page.getByRole('searchbox', { name: 'Search runs' }).fill('<script>')
    await page
      .getByText(/^\d+ rows$/)
      .first()
      .waitFor()
    expect(await page.evaluate(lookForHarm)).toEqual(noHarm)
  })

  test('nothing was loaded from elsewhere, no dialog opened, and the content security policy was not touched', () => {
    expect(workbench.problems).toEqual([])
  })
})
