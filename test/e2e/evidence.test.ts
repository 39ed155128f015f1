/** The screen of evidence in a real browser: records are imported, compared, audited and labelled. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { AxeResults } from 'axe-core'
import { expect, test } from 'vitest'
import { href } from '../../src-shared/routes.ts'
import { smallRecords, writeFiles } from '../fixtures/seal-data.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { browserFixture, describeInBrowser, show, takePictures, themes } from './browser.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const folder = temporaryFolder()
const { openWorkbench } = browserFixture()

describeInBrowser('evidence', { timeout: 120_000 }, () => {
  test('records are imported, compared and labelled by keyboard', async () => {
    const records = writeFiles(join(folder, 'records'), smallRecords)
    const { page, problems, visit } = await openWorkbench(join(folder, 'store'))
    await visit(href('evidence'))
    await page.getByLabel(/^Path on the machine/).fill(records)
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await page.getByText('6 runs imported').waitFor()
    await page.getByLabel(/^rank/).check()
    await page.getByLabel(/^together/).check()
    await page.getByLabel(/^run7/).check()
    await page.getByRole('grid', { name: 'Runs of the report' }).waitFor()
    await page.getByText('seed of rank is not recorded').waitFor()
    await page.getByText('Is it just more compute?').first().waitFor()
    await page.getByText('run7: learning one passage after another').waitFor()
    await takePictures(page, 'evidence')
    for (const theme of themes) {
      await show(page, theme)
      await page.evaluate(axe)
      const { violations } = await page.evaluate<AxeResults>(() =>
        // Sound: the line above has put it there; the browser's types do not know it.
        (window as unknown as { axe: typeof import('axe-core') }).axe.run(document, {
          runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'],
        }),
      )
      expect(
        violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${theme} ${id}: ${html}`)),
      ).toEqual([])
    }
    await page.getByText('1 row behind it').first().click()
    await page.getByRole('link', { name: /^rank: rank/ }).click()
    await page.getByRole('heading', { name: 'rank' }).waitFor()

    await visit(href('evidence', { run: ['together'] }))
    const card = page.getByRole('group', { name: 'Answer to label' })
    await card.focus()
    for (const key of ['y', 'n', 's', 'y']) await page.keyboard.press(key)
    await page.getByText(/^3 labelled/).waitFor()
    await takePictures(page, 'calibration')
    expect(problems).toEqual([])
  })
})
