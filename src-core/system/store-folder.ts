/** Where the store is unless somebody says otherwise: SELKIE_STORE, else where the platform keeps a program's data. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** The absolute path of the store when no option names one. */
export function defaultStoreFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (env['SELKIE_STORE']) return resolve(env['SELKIE_STORE'])
  switch (platform) {
    case 'darwin':
      return join(home, 'Library', 'Application Support', 'Selkie')
    case 'win32':
      return join(env['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), 'Selkie')
    default:
      return resolve(env['XDG_DATA_HOME'] || join(home, '.local', 'share'), 'selkie')
  }
}
