/**
 * One journey through the whole workbench, with the bundled model and nothing replaced: from an empty store over a run,
 * shortened, to its adapters and the playground. Each test goes on where the one before has stopped.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { href } from '../../src-shared/routes.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { browserFixture, describeInBrowser, takePictures, type Workbench } from './browser.ts'

const demo = fileURLToPath(new URL('../../resources/recipes/demo.toml', import.meta.url))
const folder = temporaryFolder()
const { openWorkbench } = browserFixture()
const runPatienceMs = 240_000

const shortened = {
  'rounds = 2': 'rounds = 2',
  'tasks-per-round = 16': 'tasks-per-round = 2',
  'group-size = 5': 'group-size = 3',
  'tasks = 60': 'tasks = 4',
  'pairs = 4': 'pairs = 1',
  'keep-adapters = "all"': 'keep-adapters = "all"',
}

function writeShortRecipe(): string {
  const text = Object.entries(shortened).reduce(
    (before, [from, to]) => {
      expect(before).toContain(`\n${from}`)
      return before.replace(`\n${from}`, `\n${to}`)
    },
    readFileSync(demo, 'utf8'),
  )
  const path = join(folder, 'short demo.toml')
  writeFileSync(path, text)
  return path
}

describeInBrowser('the workbench', { timeout: runPatienceMs }, () => {
  let workbench: Workbench
  let page: Page
  let runId = ''
  beforeAll(async () => {
    workbench = await openWorkbench(join(folder, 'store'))
    page = workbench.page
  })

  const button = (name: string | RegExp): Locator => page.getByRole('button', { name })
  const statusOfRun = (status: string): Locator =>
    page.locator('main header').first().getByText(status, { exact: true })
  /** How many candidates the matrix of a run says that it shows. */
  const shownCandidates = async (): Promise<number> => {
    const note = page.getByText(/n = \d+ candidates; a cell opens/)
    return Number(/n = (\d+)/.exec((await note.textContent()) ?? '')?.[1])
  }
  const pictures = (name: string): Promise<void> => takePictures(page, name)

  test('an empty store offers the demo, and a recipe of one’s own', async () => {
    await button('Run the demo').waitFor()
    await pictures('home-empty')

    await workbench.visit(href({ recipe: writeShortRecipe() }))
    await pictures('home-recipe')
    await button('Start the run').click()
    await page.waitForURL(/#\/runs\/[^/]+$/)
    runId = decodeURIComponent(page.url().split('#/runs/')[1]!)
    await statusOfRun('running').waitFor()
  })

  test('rounds appear while the run works, and a reload in the middle loses nothing', async () => {
    await page.getByText(/n = \d+ candidates; a cell opens/).waitFor({ timeout: runPatienceMs })
    await page
      .getByRole('group', { name: 'Load of the machine' })
      .getByText(/compute processes \d/)
      .waitFor()
    await pictures('run-live')
    const before = await shownCandidates()
    expect(before).toBeGreaterThan(0)

    await page.reload()
    await statusOfRun('running').waitFor()
    expect(await shownCandidates()).toBeGreaterThanOrEqual(before)
    await page.getByRole('progressbar', { name: 'Progress of the run' }).waitFor()

    await workbench.visit(href())
    await page.getByRole('heading', { name: 'Running now' }).waitFor()
    await pictures('home-running')
    await page.getByRole('main').getByRole('link', { name: 'demo' }).first().click()
    await statusOfRun('done').waitFor({ timeout: runPatienceMs })
  })

  test('a run that is done shows every arm with its number of answers and its interval', async () => {
    // Two rounds of two passages by three candidates; four passages bare, and by the untrained policy and two others.
    await page.getByRole('tab', { name: 'Rounds' }).click()
    expect(await shownCandidates()).toBe(6)
    await pictures('run-rounds')
    await page.getByRole('tab', { name: 'Candidates' }).click()
    await page.getByText('28 rows').waitFor()
    await pictures('run-candidates')
    await page.getByRole('tab', { name: 'Configuration' }).click()
    await pictures('run-configuration')

    await page.getByRole('tab', { name: 'Arms' }).click()
    const arms = page.getByRole('grid', { name: 'Arms' }).getByRole('row')
    await arms.nth(1).waitFor()
    const texts = await arms.allTextContents()
    expect(texts.slice(1).map((text) => /\d+\.\d\s%\s+\(\d+\.\d – \d+\.\d\),\s+n = \d+/.test(text))).toEqual(
      Array.from({ length: 6 }, () => true),
    )
    await pictures('run-arms')
    await arms.filter({ hasText: 'frozen model' }).click()
    await page.getByRole('grid', { name: /Answers/ }).waitFor()
    await pictures('run-arm-answers')
  })

  test('the matrix opens a candidate by keyboard; its flips are marked, and the review is kept', async () => {
    await workbench.visit(href('runs', runId))
    await page.getByRole('application').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.waitForURL(/candidates/)
    await page.getByRole('heading', { name: /, candidate \d/ }).waitFor()
    await findFlips()
    await pictures('candidate')

    const place = page.url()
    await page.keyboard.press('n')
    await page.keyboard.type('Half of it is not in the passage.')
    await page.keyboard.press('Escape')
    for (const [key, verdict] of [
      ['a', 'approved'],
      ['r', 'rejected'],
      ['f', 'flagged'],
    ] as const) {
      await page.keyboard.press(key)
      await page.locator('main header').first().getByText(verdict).waitFor()
    }
    await page.getByText('3 reviews so far').waitFor()
    const name = await page.locator('main header').first().textContent()
    await page.keyboard.press('k')
    await page.waitForFunction(
      (before) => document.querySelector('main header')?.textContent !== before,
      name,
    )
    await page.keyboard.press('j')
    await page.waitForURL(place)
    await page.reload()
    await page.getByText('Half of it is not in the passage.').waitFor()
    await page.getByRole('listitem').filter({ hasText: 'flagged' }).waitFor()
    await pictures('candidate-reviewed')
  })

  /** Goes from candidate to candidate until the training has changed an answer. */
  async function findFlips(): Promise<void> {
    const flips = page.getByText(/^[▲▼] (gained|lost)$/)
    while ((await flips.count()) === 0) {
      const heading = await page.locator('main h1').textContent()
      const crumbs = await page.locator('main header').first().textContent()
      expect(await button('Next').isEnabled()).toBe(true)
      await page.keyboard.press('j')
      await page.waitForFunction(
        ([before, name]) =>
          document.querySelector('main header')?.textContent !== before ||
          document.querySelector('main h1')?.textContent !== name,
        [crumbs, heading],
      )
    }
    expect(await flips.first().isVisible()).toBe(true)
  }

  test('two adapters are compared: settings, answers, losses and weights', async () => {
    await workbench.visit(href('adapters', { run: runId }))
    const table = page.getByRole('grid', { name: 'Adapters' })
    await table.getByRole('row').nth(2).waitFor()
    await table.focus()
    for (const key of ['Space', 'ArrowDown', 'ArrowDown', 'Space']) await page.keyboard.press(key)
    await page.getByText('2 selected.').waitFor()
    await pictures('adapters')
    await page.getByRole('tab', { name: 'Lineage' }).click()
    await page.getByRole('link', { name: 'policy, policy 1' }).waitFor()
    await pictures('lineage')

    await page.getByRole('tab', { name: 'Table' }).click()
    await button('Compare 2').click()
    await page.getByRole('heading', { name: 'Weights' }).waitFor()
    for (const letter of ['A', 'B'])
      await page
        .getByRole('region', { name: `‖ΔW‖ of ${letter}` })
        .getByRole('img')
        .waitFor()
    await pictures('compare')
  })

  test('the playground asks the base model and an adapter, and shows how probable each token was', async () => {
    await page.getByRole('link', { name: 'Ask them in the playground' }).click()
    await page.getByRole('heading', { name: 'Playground' }).waitFor()
    await pictures('playground-empty')
    await page.getByRole('combobox', { name: 'Question' }).fill('What is the capital?')
    await page.keyboard.press('Enter')
    const answers = page.getByRole('listbox', { name: /^Answer of [ABC], token by token$/ })
    await answers.nth(2).waitFor({ timeout: 60_000 })
    for (const answer of await answers.all())
      expect(await answer.getByRole('option').first().getAttribute('aria-label')).toMatch(/: \d+\.\d\s%/)
    await page.getByText('Tokens and probabilities as a table').click()
    await pictures('playground')
  })

  test('models, store, settings and help are there', async () => {
    await workbench.visit(href('models'))
    await page.getByText('selkie-nano').first().waitFor()
    await pictures('models')

    await workbench.visit(href('store'))
    await page.getByText(/^Processor$/).waitFor({ timeout: 60_000 })
    await button('Check the store').click()
    await page.getByText('Everything is as it was written.').waitFor()
    await pictures('store')

    await workbench.visit(href('help'))
    await button('Collect').click()
    await page.getByRole('region', { name: 'Text of the diagnostics' }).waitFor({ timeout: 60_000 })
    await pictures('help')

    await workbench.visit(href('settings'))
    await pictures('settings')
    await page.getByRole('radio', { name: 'Dark' }).check()
    await page.reload()
    await page.locator('html[data-theme=dark]').waitFor()
    await page.getByRole('radio', { name: 'As the system' }).check()

    await workbench.visit(href())
    await page.getByRole('grid', { name: 'Runs' }).getByText('demo').waitFor()
    await pictures('home')
    await workbench.visit(href('nowhere', 'at', 'all'))
    await pictures('not-found')
  })

  test('nothing went wrong on the way', () => {
    expect(workbench.problems).toEqual([])
  })
})
