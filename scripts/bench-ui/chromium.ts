/** Where the browser is in which the page is tested and measured: Debian's Chromium, or the one that CHROMIUM_PATH names. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Undefined where there is none. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env['CHROMIUM_PATH']
  if (named !== undefined) return existsSync(named) ? named : undefined
  const onPath = (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'chromium'))
  return ['/usr/bin/chromium', ...onPath].find((path) => existsSync(path))
}
