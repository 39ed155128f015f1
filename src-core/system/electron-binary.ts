/** Finds the Electron binary without loading the `electron` package, which would try to download it. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const howToGetElectron = 'Run "npx install-electron" (a download of about 120 MB).'

/** The executable's path, or undefined if it was never downloaded. `root` is the project's folder. */
export function findElectronBinary(root: string, env: NodeJS.ProcessEnv): string | undefined {
  const packageFolder = join(root, 'node_modules', 'electron')
  const pathFile = join(packageFolder, 'path.txt') // written by Electron's installer, names the file inside the folder
  const installed = existsSync(pathFile) ? readFileSync(pathFile, 'utf8').trim() : 'electron'
  const folder = env['ELECTRON_OVERRIDE_DIST_PATH'] ?? join(packageFolder, 'dist')
  return [env['ELECTRON_EXEC_PATH'], join(folder, installed)].find(
    (path) => path !== undefined && existsSync(path),
  )
}
