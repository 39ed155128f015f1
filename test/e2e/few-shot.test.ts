/** Runs on puzzles as a person sees them: grids as pictures, votes, training tasks; and rows in which nothing is a grid. */
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { openStore } from '../../src-core/store/store.ts'
import type { LedgerRow } from '../../src-shared/records.ts'
import { gridText, type Grid } from '../../src-shared/few-shot/grid.ts'
import { createApiClient, type ApiClient } from '../../src-shared/api/transport.ts'
import { href } from '../../src-shared/routes.ts'
import { addPuzzleRun, puzzleRecipe, puzzles } from '../fixtures/puzzle-run.ts'
import { answerRow, candidateRow, model, runInput, sha256 } from '../fixtures/store-rows.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { axeViolations } from './axe-violations.ts'
import { browserFixture, describeInBrowser, takePictures, type Workbench } from './browser.ts'

const folder = join(temporaryFolder(), 'store')
const { openWorkbench } = browserFixture()

const [upsideDown, , , thirty] = puzzles.splits.test
const hostile = '<img src=x onerror="window.pwned=1">\u202e'

/** A candidate of which every text that should be grids or JSON is something else. */
const hostileRows: readonly LedgerRow[] = [
  { table: 'policy_versions', version: 0, adapterSha256: null, parent: null, training: null },
  ...[null, 'h/0'].flatMap((trialId): LedgerRow[] => [
    ...(trialId === null
      ? []
      : [
          candidateRow('h', { arm: 'policy-0', taskId: upsideDown!.id, text: hostile }),
          {
            ...({ table: 'trials', id: 'h/0', candidateId: 'h', number: 0, seed: 1, error: null } as const),
            config: { origins: [{ left: [0], transform: hostile }, hostile], strategy: hostile },
            ...({ sequences: [hostile, '12>21#'], status: 'done', steps: 1, losses: [1] } as const),
            adapterSha256: sha256('h'),
          },
        ]),
    ...upsideDown!.questions.map(({ id }, index) =>
      answerRow(`${trialId ?? 'frozen'}/${id}`, {
        ...{ arm: trialId === null ? 'frozen' : 'policy-0', trialId, taskId: upsideDown!.id, questionId: id },
        ...{ verdict: 'incorrect', grader: 'two-attempts', text: index === 0 ? hostile : '' },
        judge:
          index === 0
            ? {
                predictions: [{ view: hostile, grid: null }],
                tally: [{ grid: hostile, votes: 1, views: hostile }],
              }
            : hostile,
      }),
    ),
  ]),
]

/** As the accessible names of pictures spell a grid. */
const rowsOf = (grid: Grid): string => gridText(grid).replaceAll('\n', ', ')

describeInBrowser('puzzles', { timeout: 300_000 }, () => {
  let workbench: Workbench
  let page: Page
  let api: ApiClient
  let ids: readonly string[]
  beforeAll(async () => {
    const store = openStore(folder)
    await addPuzzleRun(store, folder, 'p')
    store.createRun({
      ...{ ...runInput('h'), name: 'hostile', config: puzzleRecipe, seed: 5 },
      tasksetSha256: puzzles.sha256,
      modelSha256: model.sha256,
    })
    store.commit('h', hostileRows, { events: [{ type: 'done', data: null }] })
    ids = store.rows('candidates', 'p').map(({ id }) => id)
    store.close()
    workbench = await openWorkbench(folder)
    page = workbench.page
    api = createApiClient(workbench.app)
    page.on('request', (request) => expect(request.url()).toMatch(/^(http|ws):\/\/127\.0\.0\.1/))
  }, 120_000)

  const picture = (name: string | RegExp): Locator => page.getByRole('img', { name })
  const panel = (name: string): Locator => page.getByRole('region', { name, exact: true })
  const visitCandidate = async (id: string): Promise<void> => {
    await workbench.visit(href('runs', 'p', 'candidates', id))
    await page.getByText(`selkie show candidate ${id} --run p`).waitFor() // the one before stays until it is there
  }
  /** What the page is told. */
  const viewOf = (candidateId: string) => api.call('runs.candidate', { id: 'p', candidateId })

  /** Pictures of a screen, also in a narrow window, into which it has to fit: few-shot-NAME, few-shot-NAME-800. */
  async function pictures(name: string): Promise<void> {
    await takePictures(page, `few-shot-${name}`)
    await page.setViewportSize({ width: 800, height: 800 })
    await takePictures(page, `few-shot-${name}-800`)
    const isWider = await page.evaluate(() => {
      const main = document.querySelector('main')!
      return document.documentElement.scrollWidth > innerWidth || main.scrollWidth > main.clientWidth
    })
    expect({ name, isWider }).toEqual({ name, isWider: false })
    await page.setViewportSize({ width: 1280, height: 800 })
  }

  test('a candidate shows its puzzle, its attempts, what is wrong in them, and how the views voted', async () => {
    const candidates = ids.filter((id) => id.startsWith(`policy-1/${upsideDown!.id}/`))
    const [id] = candidates as [string]
    const view = await viewOf(id)
    await visitCandidate(id)
    for (const [index, { input, output }] of upsideDown!.demonstrations.entries()) {
      await picture(new RegExp(`^Demonstration ${index + 1}, input: .*: ${rowsOf(input)}$`)).waitFor()
      await picture(new RegExp(`^Demonstration ${index + 1}, output: .*: ${rowsOf(output)}$`)).waitFor()
    }
    const [outcome] = view.trials[0]!.outcomes
    for (const [side, title] of [
      ['before', 'before, in context'],
      ['after', 'after the training'],
    ] as const) {
      const { text, judge } = outcome![side]!
      const attempts = text.split('\n\n')
      for (const [index, attempt] of attempts.entries())
        await picture(
          new RegExp(
            `^Test input 1, ${side}, attempt ${index + 1}: .*: ${attempt.replaceAll('\n', ', ')}(\\. Wrong|$)`,
          ),
        ).waitFor()
      const table = page.getByRole('table', { name: `Votes of the views: ${title}` }).first()
      const { tally } = judge as {
        tally: { votes: number; nominations: number; views: { view: string; votes: number }[] }[]
      }
      const rows = table.locator('tbody tr')
      expect(await rows.count()).toBe(Math.min(4, tally.length))
      expect(await rows.first().locator('td').nth(1).textContent()).toBe(String(tally[0]!.nominations))
      expect(await rows.first().locator('td').nth(2).textContent()).toBe(String(tally[0]!.votes))
      expect((await rows.first().locator('td').nth(3).textContent())?.trim()).toBe(
        tally[0]!.views.map(({ view, votes }) => `${view} ${votes}`).join(', '),
      )
    }
    expect(await page.getByText(/\d+ of 42 cells wrong|× \d cells instead of 6 × 7/).count()).toBeGreaterThan(
      0,
    )
    await pictures('candidate')
    expect(await axeViolations(page, 'candidate')).toEqual([])

    const texts = page.locator('main svg[role=img] text')
    expect(await texts.count()).toBe(0)
    await page.getByRole('checkbox', { name: 'Digits in all cells' }).check()
    const lengths = await texts.evaluateAll((all) => all.map(({ textContent }) => textContent.length))
    const large = upsideDown!.demonstrations.reduce((sum, { input }) => sum + 2 * input.flat().length, 0)
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBeGreaterThan(large)
    await takePictures(page, 'few-shot-digits')
    await page.getByRole('checkbox', { name: 'Digits in all cells' }).uncheck()
  })

  test('all training tasks can be seen, and each is the text that was trained', async () => {
    const id = ids.find((each) => each.startsWith(`fixed-configuration/${upsideDown!.id}/`))!
    const { sequences } = (await viewOf(id)).trials[0]!
    expect(sequences.length).toBe(60)
    await visitCandidate(id)
    const tasks = panel('Training tasks')
    expect(await tasks.getByRole('listitem').count()).toBe(12)
    await tasks.getByRole('button', { name: 'Show all 60' }).click()
    expect(await tasks.getByRole('listitem').count()).toBe(60)
    const names = await tasks
      .getByRole('img')
      .evaluateAll((all) => all.map((each) => each.getAttribute('aria-label')))
    const shown = new Map<string, string>() // the grids of each task, as its text has them
    for (const name of names) {
      const [, number, place, rows] = /^(Task \d+), .*(input|output): [^:]*: ([\d, ]+)$/.exec(name!)!
      const grid = rows!.replaceAll(', ', '\n')
      shown.set(number!, (shown.get(number!) ?? '') + (place === 'input' ? `${grid}>` : `${grid}#\n`))
    }
    expect([...shown.values()].map((text) => text.trimEnd())).toEqual(sequences)
    await pictures('tasks')
    expect(await axeViolations(page, 'training tasks')).toEqual([])
  })

  test('what cannot be read, asks for too much or is too long trains nothing, and the screen says why', async () => {
    const reasons = new Map<string, string>()
    for (const id of ids) {
      const { nothingTrained } = (await viewOf(id)).trials[0]!.config as { readonly nothingTrained?: string }
      if (nothingTrained !== undefined && !reasons.has(nothingTrained)) reasons.set(nothingTrained, id)
    }
    expect(reasons.size).toBe(3)
    for (const [reason, id] of reasons) {
      await visitCandidate(id)
      expect(await panel('Training tasks').getByText(reason).count()).toBe(1)
      expect(await panel('Self-edit').getByText(reason).count()).toBe(1)
      expect(await page.getByText('nothing trained').count()).toBe(2)
      await pictures(`nothing-${id.split('/')[0]}-${reason.split(' ')[1]}`)
    }
  })

  test('thirty by thirty cells are drawn quickly', async () => {
    const id = ids.find((each) => each.startsWith(`policy-0/${thirty!.id}/`))!
    await visitCandidate(id)
    await page.getByRole('checkbox', { name: 'Digits in all cells' }).check()
    const drawn = await page.locator('main svg[role=img]').count()
    expect(drawn).toBeGreaterThanOrEqual(10)
    expect(await page.locator('main svg[role=img] *').count()).toBeLessThan(25 * drawn)
    await page.getByRole('checkbox', { name: 'Digits in all cells' }).uncheck()
    await pictures('large')
  })

  test('the arms of the run, with answers as pictures; those in hindsight lead to where they were chosen', async () => {
    await workbench.visit(href('runs', 'p', { tab: 'arms' }))
    const arms = page.getByRole('grid', { name: 'Arms' })
    await arms.getByRole('columnheader', { name: 'Puzzles' }).waitFor()
    const titles = (await arms.getByRole('row').allTextContents()).slice(1)
    for (const [index, title] of [
      'in context, without training',
      'one fixed configuration',
      'self-edits of the untrained policy',
      'SEAL after round 1',
      'a configuration at random',
      'best configuration for all, in hindsight',
      'best configuration for each, in hindsight',
    ].entries())
      expect(titles[index]).toContain(title)
    await page.getByRole('heading', { name: 'What one self-edit did' }).waitFor()
    await pictures('arms')
    await arms.getByRole('row').filter({ hasText: 'for each, in hindsight' }).click()
    const answers = page.getByRole('grid', { name: /^Answers of best configuration for each/ })
    await answers.getByRole('img').first().waitFor()
    await page.getByText('chosen among all answers of “a configuration at random”').waitFor()
    const rows = await api.call('runs.rows', { id: 'p', of: 'arm', key: 'exhaustive' })
    const answer = rows.find((row) => row.table === 'answers')
    const [attempt] = answer!.text.split('\n\n')
    const shown = answers.getByRole('row').nth(1).getByRole('img').first()
    expect(await shown.getAttribute('aria-label')).toContain(attempt!.replaceAll('\n', ', '))
    await pictures('arm-answers')
    expect(await axeViolations(page, 'arms')).toEqual([])
    await answers.getByRole('row').nth(1).click()
    await page.waitForURL(/candidates/)
  })

  test('rounds and candidates count puzzles', async () => {
    await workbench.visit(href('runs', 'p', { tab: 'rounds' }))
    await page.getByText('Puzzles × candidates').waitFor()
    await pictures('rounds')
    await workbench.visit(href('runs', 'p', { tab: 'candidates' }))
    await page
      .getByRole('grid', { name: 'Candidates' })
      .getByRole('columnheader', { name: 'Puzzle' })
      .waitFor()
    expect(await page.getByText(/passage/i).count()).toBe(0)
  })

  test('the playground says that an adapter of a puzzle has no questions about texts', async () => {
    const { id } = (await viewOf(ids.find((each) => each.startsWith('fixed-configuration/'))!)).trials[0]!
    await workbench.visit(href('playground', { a: [`p/${id}`] }))
    await page.getByText(/is a puzzle\. The playground is for/).waitFor()
    await takePictures(page, 'few-shot-playground')
    await page.getByRole('link', { name: 'its self-edit' }).click()
    await page.getByRole('heading', { name: /, candidate 0/ }).waitFor()
  })

  test('what is no grid, no vote and no origin is shown as the text it is', async () => {
    await workbench.visit(href('runs', 'h', 'candidates', 'h'))
    await page.getByText('How it was written').waitFor()
    await page.getByText('There is no JSON object in the text.').first().waitFor()
    await page.getByText('12>21#').waitFor()
    await page.getByText('No attempt: no view was answered with a grid.').first().waitFor()
    expect(await page.getByText('<img src=x').count()).toBeGreaterThan(4)
    expect(await page.locator('main img').count()).toBe(0)
    expect(await page.evaluate(() => (window as { pwned?: number }).pwned)).toBeUndefined()
    await pictures('hostile')
    expect(await axeViolations(page, 'hostile')).toEqual([])
  })

  test('nothing went wrong on the way', () => {
    expect(workbench.problems).toEqual([])
  })
})
