/** What axe finds on what a page shows. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults, RunOptions } from 'axe-core'
import type { Page } from 'playwright-core'
import { show, themes } from './browser.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const rules: RunOptions = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'],
  resultTypes: ['violations'],
}

/** In both themes, one line for each place. `name`: of the screen. */
export async function axeViolations(page: Page, name: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const theme of themes) {
    await show(page, theme)
    await page.evaluate(axe)
    const { violations } = await page.evaluate<AxeResults, RunOptions>(
      // Sound: the line above has put it there; the browser's types do not know it.
      (options) => (window as unknown as { axe: typeof import('axe-core') }).axe.run(document, options),
      rules,
    )
    for (const { id, help, nodes } of violations)
      found.push(...nodes.map(({ html }) => `${name}, ${theme}: ${id} (${help}): ${html.slice(0, 300)}`))
  }
  return found
}
