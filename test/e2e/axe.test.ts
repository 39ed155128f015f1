/** What a person needs who cannot see the screen well, or uses no mouse: every screen, both themes, and a whole audit. */
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { href } from '../../src-shared/routes.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { axeViolations } from './axe-violations.ts'
import { browserFixture, describeInBrowser, type Workbench } from './browser.ts'
import { writeTextStore, type TextStore } from './text-store.ts'

const folder = temporaryFolder()
const { openWorkbench } = browserFixture()

const texts = ['Grey seals', 'The harbour', 'Fog on the strait', 'A long winter', 'Two ferries', 'The pilot']

describeInBrowser('without a mouse, without good eyes', { timeout: 300_000 }, () => {
  let written: TextStore
  let workbench: Workbench
  let page: Page
  beforeAll(async () => {
    written = writeTextStore(join(folder, 'store'), texts)
    workbench = await openWorkbench(join(folder, 'store'))
    page = workbench.page
  }, 120_000)

  const violations = (name: string, on: Page = page): Promise<readonly string[]> => axeViolations(on, name)

  test('axe finds nothing on any screen, in light and dark', async () => {
    const { runId, failedRunIds, candidateIds, keptKeys } = written
    const run = (tab: string, more = {}): string => href('runs', runId, { tab, ...more })
    const pair = keptKeys.map((key) => `${runId}/${key}`)
    const grid = (label: string): Locator =>
      page.getByRole('grid', { name: label, exact: true }).getByRole('row').nth(1)
    const text = (content: string | RegExp): Locator => page.getByText(content).first()
    const button = (name: string): Locator => page.getByRole('button', { name, exact: true })

    const empty = await openWorkbench(join(folder, 'empty'))
    await empty.page.getByRole('button', { name: 'Run the demo' }).waitFor()
    const found = [...(await violations('home, empty', empty.page))]
    await empty.page.close()

    const screens: readonly (readonly [string, string, () => Locator, (() => Promise<void>)?])[] = [
      ['home', href(), () => grid('Runs')],
      ['recipes', href({ recipe: '' }), () => page.getByRole('dialog')],
      ['learn', href(), () => page.getByRole('dialog'), () => button('Learn one passage').click()],
      ['run, rounds', run('rounds'), () => text(/a cell opens/)],
      ['run, candidates', run('candidates'), () => grid('Candidates')],
      ['run, arms', run('arms', { arm: 'policy-0' }), () => text('What one self-edit did')],
      ['run, configuration', run('configuration'), () => text('What it rests on')],
      ['run, failed', href('runs', failedRunIds[0]!), () => text(/Resume tries/)],
      [
        ...(['run, cancel', href('runs', failedRunIds[0]!), () => page.getByRole('dialog')] as const),
        () => button('Cancel …').click(),
      ],
      ['candidate', href('runs', runId, 'candidates', candidateIds[0]!), () => text('How it was written')],
      [
        'keys',
        href('runs', runId, 'candidates', candidateIds[0]!),
        () => page.getByRole('dialog'),
        () => button('Keys').click(),
      ],
      ['adapters', href('adapters'), () => grid('Adapters')],
      [
        'runs to choose',
        href('adapters'),
        () => page.getByRole('option').first(),
        () => page.getByRole('combobox', { name: 'Run' }).focus(),
      ],
      ['lineage', href('adapters', { run: runId, view: 'lineage' }), () => text('Policy versions')],
      ['compare', href('compare', { a: pair }), () => text('Shared subspace')],
      ['compare, empty', href('compare'), () => text('A comparison needs two adapters.')],
      ['playground', href('playground', { a: pair }), () => text('Nothing was asked yet.')],
      ['models', href('models'), () => grid('Models')],
      ['store', href('store'), () => text('Processor')],
      ['settings', href('settings'), () => text('Appearance')],
      ['help', href('help'), () => text('Selkie diagnostics'), () => button('Collect').click()],
      ['nowhere', href('no', 'such', 'screen'), () => text(/There is no screen/)],
      ['no such run', href('runs', 'none'), () => page.getByRole('alert')],
    ]
    for (const [name, address, content, before] of screens) {
      await workbench.visit(href('settings'))
      await workbench.visit(address)
      await before?.()
      await content().waitFor({ timeout: 60_000 })
      found.push(...(await violations(name)))
      await page.keyboard.press('Escape')
    }
    expect(found).toEqual([])
  })

  test('axe finds nothing in answers of the playground', async () => {
    await workbench.visit(href('playground', { question: 'What is the capital?', title: 'Peru' }))
    await page.getByRole('button', { name: 'Ask', exact: true }).click()
    await page.getByRole('listbox', { name: /^Answer of A/ }).waitFor({ timeout: 60_000 })
    await page.getByText('Tokens and probabilities as a table').click()
    expect(await violations('answers')).toEqual([])
  })

  /** Presses Tab until something has the focus, as one would who only hears what has it. */
  async function tabTo(target: Locator): Promise<void> {
    for (let press = 0; press < 80; press++) {
      if (await target.evaluate((element) => element === document.activeElement)) return
      await page.keyboard.press('Tab')
    }
    throw new Error(`The Tab key does not come to ${String(target)}.`)
  }
  const isFocusSeen = async (): Promise<boolean> =>
    await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement!)
      return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
    })

  test('a whole audit by keyboard alone: from the runs to a verdict, two adapters compared, and back', async () => {
    await workbench.visit(href())
    const runs = page.getByRole('grid', { name: 'Runs' })
    await runs.getByRole('row').nth(1).waitFor()
    await page.reload()
    await runs.getByRole('row').nth(1).waitFor()
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content')
    await page.keyboard.press('Enter')
    await tabTo(runs)
    expect(await isFocusSeen()).toBe(true)
    await page.keyboard.press('End') // the first run of the store is its oldest
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: texts[0]!, level: 1 }).waitFor()

    await tabTo(page.getByRole('tab', { name: 'Rounds' }))
    expect(await isFocusSeen()).toBe(true)
    await page.keyboard.press('ArrowRight')
    const candidates = page.getByRole('grid', { name: 'Candidates' })
    await candidates.waitFor()
    await tabTo(candidates)
    for (const key of ['End', 'ArrowUp', 'Enter']) await page.keyboard.press(key)
    const heading = page.locator('main h1')
    await heading.filter({ hasText: `${texts[2]}, candidate 0` }).waitFor()

    for (const [key, candidate] of [
      ['k', `${texts[1]}, candidate 1`],
      ['j', `${texts[2]}, candidate 0`],
      ['j', `${texts[2]}, candidate 1`],
    ] as const) {
      await page.keyboard.press(key)
      await heading.filter({ hasText: candidate }).waitFor()
    }
    await page.keyboard.press('n')
    await page.keyboard.type('jar of figs') // letters that are keys elsewhere
    await page.keyboard.press('Escape')
    for (const [key, verdict] of Object.entries({ a: 'approved', r: 'rejected', f: 'flagged' })) {
      await page.keyboard.press(key)
      await page.locator('main header').first().getByText(verdict).waitFor()
    }
    await page.getByRole('listitem').filter({ hasText: 'jar of figs' }).waitFor()
    await page.keyboard.press('?')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })

    await tabTo(page.getByRole('link', { name: 'Adapters of this run' }))
    await page.keyboard.press('Enter')
    const adapters = page.getByRole('grid', { name: 'Adapters' })
    await adapters.getByRole('row').nth(2).waitFor()
    await tabTo(adapters)
    for (const key of ['Space', 'ArrowDown', 'Space']) await page.keyboard.press(key)
    await tabTo(page.getByRole('button', { name: 'Compare 2' }))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Compare adapters' }).waitFor()
    await tabTo(page.getByRole('button', { name: 'Pin B as the baseline' }))
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Pin B as the baseline', pressed: true }).waitFor()
    await page.goBack() // Alt and the left arrow: a key of the browser, not of the page
    await adapters.waitFor()
  })

  test('nothing went wrong on the way', () => {
    expect(workbench.problems).toEqual([])
  })
})
