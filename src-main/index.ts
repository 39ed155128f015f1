/** The Electron host: builds the app with utility processes as its launcher, opens one window, relays its requests. */
import { join } from 'node:path'
import { app as electron } from 'electron'
import { createApp } from '../src-core/app.ts'
import { defaultStoreFolder } from '../src-core/system/store-folder.ts'
import { appOrigin, registerAppScheme, serveAppProtocol } from './app-protocol.ts'
import { serveIpc } from './ipc.ts'
import { launchWithUtilityProcess } from './launcher.ts'
import { createWindow, denyPermissions } from './window.ts'

// Everything lies in one build: out/main, out/preload, out/renderer.
const output = join(import.meta.dirname, '..')
const entry = (name: string): string => join(output, 'main', `${name}.js`)

/** In development electron-vite serves the page; a packaged app takes no such hint from outside. */
function pageUrl(): string {
  const served = electron.isPackaged ? undefined : process.env['ELECTRON_RENDERER_URL']
  return served ?? `${appOrigin}/index.html`
}

async function start(): Promise<void> {
  registerAppScheme()
  electron.enableSandbox()
  await electron.whenReady()
  serveAppProtocol(join(output, 'renderer'))
  denyPermissions()
  const app = createApp({
    launch: launchWithUtilityProcess,
    entries: { generator: entry('generator'), trainer: entry('trainer') },
    selkieVersion: electron.getVersion(),
    root: electron.getAppPath(),
    storeFolder: defaultStoreFolder(),
    workingFolder: electron.getPath('userData'),
    env: process.env,
  })
  const url = pageUrl()
  const window = createWindow({ preload: join(output, 'preload', 'index.cjs'), url })
  serveIpc(app, window, url)
  electron.on('window-all-closed', () => electron.quit())
  quitAfter(() => app.dispose())
  await window.loadURL(url)
}

/** Holds the first quit back until the compute processes have ended. */
function quitAfter(dispose: () => Promise<void>): void {
  let isDisposed = false
  electron.on('before-quit', (event) => {
    if (isDisposed) return
    event.preventDefault()
    void dispose().finally(() => {
      isDisposed = true
      electron.quit()
    })
  })
}

start().catch((error: unknown) => {
  console.error(error)
  electron.exit(1)
})
