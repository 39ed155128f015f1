/**
 * One life of a mind, in a real browser with the bundled model and nothing replaced: from nothing over two lessons to a
 * certificate. Each test goes on where the one before has stopped.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { href } from '../../src-shared/routes.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { axeViolations } from './axe-violations.ts'
import { browserFixture, describeInBrowser, takePictures, type Workbench } from './browser.ts'

const folder = temporaryFolder()
const { openWorkbench } = browserFixture()
const workMs = 60_000 // for a lesson, on a machine that has other work

describeInBrowser('a mind', { timeout: 180_000 }, () => {
  let workbench: Workbench
  let page: Page
  let id = ''
  beforeAll(async () => {
    workbench = await openWorkbench(join(folder, 'store'))
    page = workbench.page
  })

  const button = (name: string | RegExp): Locator => page.getByRole('button', { name, exact: true })
  const dialog = (): Locator => page.getByRole('dialog')
  const card = (editId: string): Locator =>
    page.getByRole('article', { name: new RegExp(`^Edit ${editId},`) })
  const field = (name: string): Locator => dialog().getByRole('textbox', { name })
  const tab = (name: string): Promise<void> => page.getByRole('tab', { name, exact: true }).click()
  /** Nothing is worked on any more. */
  const rest = (): Promise<void> =>
    page
      .getByRole('region', { name: 'What is done now' })
      .waitFor({ state: 'detached', timeout: workMs })
      .then(() => button('Measure').and(page.locator(':enabled')).waitFor())
  const look = async (name: string): Promise<void> => {
    await takePictures(page, `minds-${name}`)
    expect(await axeViolations(page, name)).toEqual([])
  }
  async function learn(title: string): Promise<void> {
    await dialog().getByRole('searchbox').fill(title)
    await dialog().getByRole('listbox', { name: 'Passages' }).selectOption({ index: 0 })
    await dialog().getByRole('spinbutton', { name: 'Self-edits to choose from' }).fill('2')
    await dialog().getByRole('button', { name: 'Learn it' }).click()
  }

  test('nothing is there, and one button leads to a mind for which a name is enough', async () => {
    await page.getByRole('link', { name: 'Minds' }).click()
    await button('Make a mind of selkie-nano').waitFor()
    await look('empty')
    await button('Make a mind of selkie-nano').click()
    await look('new')
    await dialog().getByRole('button', { name: 'Make it' }).click()
    await page.waitForURL(/#\/minds\/.+/)
    id = decodeURIComponent(page.url().split('#/minds/')[1]!)
    await page.getByRole('heading', { name: 'My first mind' }).waitFor()
    await look('nothing-learned')
  })

  test('it learns two passages, and says what each brought and cost', async () => {
    await button('Learn a passage').click()
    await look('learn')
    await learn('Romania')
    await dialog().getByRole('progressbar').waitFor()
    await takePictures(page, 'minds-learning')
    await dialog()
      .getByText(/^Learned/)
      .waitFor({ timeout: workMs })
    await look('learned')
    await dialog().getByRole('button', { name: 'Learn another' }).click()
    await learn('Bulgaria')
    await dialog()
      .getByText(/^Learned/)
      .waitFor({ timeout: workMs })
    await dialog().getByRole('button', { name: 'Done' }).click()
    await card('e2').waitFor()
    for (const edit of ['e1', 'e2'])
      expect(await card(edit).textContent()).toMatch(/This passage \d+\.\d % → \d+\.\d % [+−±]\d+\.\d n = \d/)
    await look('timeline')
  })

  test('a lesson on a passage of one’s own without questions is held until it is accepted', async () => {
    await button('Learn …').click()
    await dialog().getByRole('radio', { name: 'A passage of your own' }).check()
    await field('Title').fill('Freedonia')
    await field('Passage').fill('Freedonia is a country. The capital of Freedonia is Fredville.')
    await field('Questions').fill('What is the capital of Freedonia?')
    await dialog().getByText('Line 1 has no answer').waitFor()
    await look('learn-own')
    await field('Questions').fill('')
    await dialog().getByRole('button', { name: 'Learn it' }).click()
    await dialog()
      .getByText(/^Learned, but held/)
      .waitFor({ timeout: workMs })
    await dialog().getByRole('button', { name: 'Done' }).click()
    await card('e3').getByText('held for review', { exact: true }).waitFor()
    await look('held')
    await card('e3').getByRole('button', { name: 'Accept' }).click()
    await card('e3').getByRole('switch', { checked: true }).waitFor()
    await rest()
  })

  test('edits are switched, weighed and moved, by mouse and by key', async () => {
    const first = page.getByRole('article').first()
    await card('e1').getByRole('switch').click()
    await card('e1').getByRole('switch', { checked: false }).waitFor()
    await rest()
    await card('e1').getByRole('switch').press('Space')
    await card('e1').getByRole('switch', { checked: true }).waitFor()
    await rest()
    await card('e2').getByRole('slider').press('ArrowLeft')
    await card('e2').getByRole('spinbutton').and(page.locator(':enabled')).waitFor()
    await rest()
    expect(await card('e2').getByRole('spinbutton').inputValue()).toBe('0.95')
    await card('e2').getByRole('spinbutton').fill('1')
    await card('e2').getByRole('spinbutton').press('Enter')
    await rest()
    await card('e1').getByRole('button', { name: /down$/ }).press('Enter')
    await first.and(card('e2')).waitFor()
    await rest()
    await card('e1')
      .locator('[draggable=true]')
      .dragTo(card('e2'), { targetPosition: { x: 80, y: 5 } })
    await first.and(card('e1')).waitFor()
    await rest()
    const history = page.getByRole('list', { name: 'History' }).getByRole('listitem')
    await history.nth(10).waitFor()
    expect(await history.count()).toBe(11)
    await history.filter({ hasText: 'Learned Romania' }).getByRole('link').click()
    await page.getByRole('heading', { name: 'Self-edits it chose among' }).waitFor()
    await look('edit')
    await page.getByRole('link', { name: 'Back to the timeline' }).click()
  })

  test('another window follows', async () => {
    const second = await page.context().newPage()
    await second.goto(page.url())
    const there = second.getByRole('article', { name: /^Edit e3,/ }).getByRole('switch')
    await there.waitFor()
    expect(await there.getAttribute('aria-checked')).toBe('true')
    await card('e3').getByRole('switch').click()
    await second
      .getByRole('article', { name: /^Edit e3,/ })
      .getByRole('switch', { checked: false })
      .waitFor()
    await second.close()
    await rest()
  })

  test('the time machine shows one question at every point of the history', async () => {
    await tab('Time machine')
    await look('time-machine-empty')
    await page.getByLabel('Known questions').selectOption({ label: 'Which city is the capital of Romania?' })
    await button('Ask at every point').click()
    const answers = page.getByRole('list', { name: 'Answers by version' }).getByRole('listitem')
    await answers.first().waitFor({ timeout: workMs })
    await rest()
    expect(await answers.first().textContent()).toContain('Made')
    await answers.getByText('changed', { exact: true }).first().waitFor()
    await look('time-machine')
    await page.getByLabel('token probabilities').check()
    await page.getByRole('listbox', { name: 'Answer of version 2, token by token' }).waitFor()
    await look('time-machine-tokens')
    await page.reload()
    await answers.first().waitFor()
  })

  test('blame names the edit that an answer is due to', async () => {
    await tab('Blame')
    await page.getByLabel('Known questions').selectOption({ label: 'Which city is the capital of Romania?' })
    await button('Find what caused it').click()
    const rows = page.getByRole('table').getByRole('row')
    await rows.nth(1).waitFor({ timeout: workMs })
    await rest()
    expect(await rows.nth(1).textContent()).toMatch(/Romania\s+e1.*\+\d+\.\d{3}/)
    await look('blame')
  })

  test('the forgetting matrix opens the answers behind a cell', async () => {
    await tab('Forgetting')
    const table = page.getByRole('table', { name: /^Accuracy/ })
    expect(await table.getByRole('row').count()).toBe(5) // head, baseline, three edits
    await table.getByText('not measured').first().waitFor()
    await table.getByRole('button', { name: /^Romania, after Bulgaria: \d+ %, \d of 7$/ }).click()
    await page.getByRole('heading', { name: 'Romania, after Bulgaria' }).waitFor()
    await page.getByText('Which city is the capital of Romania?').waitFor()
    await look('forgetting')
    const download = page.waitForEvent('download')
    await button('Forgetting: save as PNG').click()
    expect((await download).suggestedFilename()).toBe(`${id}-forgetting.png`)
  })

  test('merging and undoing it are measured', async () => {
    await tab('Merge and export')
    await look('files')
    await button('Merge what is on').click()
    await page.getByText('What the latest merge cost').waitFor({ timeout: workMs })
    await rest()
    await look('merged')
    await button('Undo the merge').click()
    await page.getByText('Nothing is merged').waitFor()
    await rest()
  })

  test('an export is checked before it gets its name', async () => {
    const path = join(folder, 'stack.gguf')
    await page.getByLabel('Path').fill(join(folder, 'nowhere', 'stack.gguf'))
    await button('Export it').click()
    await page.getByRole('alert').getByText('does not exist').waitFor({ timeout: workMs })
    await page.getByLabel('Path').fill(path)
    await button('Export it').click()
    await page.getByRole('list', { name: 'Exported' }).getByText(path).waitFor({ timeout: workMs })
    expect(existsSync(path)).toBe(true)
    await look('exported')
  })

  test('what is taken out leaves a certificate with its proof', async () => {
    await tab('Certificates')
    await page.getByText('No edit was taken out.').waitFor()
    await tab('Timeline')
    await card('e2').getByRole('button', { name: 'Revert …' }).click()
    await look('revert')
    await dialog().getByRole('button', { name: 'Take it out' }).click()
    await card('e2').waitFor({ state: 'detached', timeout: workMs })
    await rest()
    await tab('Certificates')
    await page.getByText(/^proven by (the record|rebuilding)$/).waitFor()
    await page.getByText('equal to the last bit').first().waitFor()
    await look('certificate')
  })

  test('a fork begins as the mind was, and the list shows both', async () => {
    await button('Fork …').click()
    await dialog().getByLabel('As it was after').selectOption({ index: 5 })
    await look('fork')
    await dialog().getByRole('button', { name: 'Fork it' }).click()
    await page.getByRole('heading', { name: 'My first mind, fork' }).waitFor()
    await workbench.visit(href('minds'))
    await page.getByRole('grid', { name: 'Minds' }).getByRole('row').nth(2).waitFor()
    await look('list')
  })

  test('nothing went wrong on the way', () => {
    expect(workbench.problems).toEqual([])
  })
})
