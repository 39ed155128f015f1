/** The Electron host: builds the app with utility processes as its launcher, opens one window, relays its requests. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { app as electron, dialog } from 'electron'
import { createApp, type App } from '../src-core/app.ts'
import { defaultStoreFolder } from '../src-core/system/store-folder.ts'
import { createWorkIndicator, watchWork } from './activity.ts'
import { appOrigin, registerAppScheme, serveAppProtocol } from './app-protocol.ts'
import { allowOwnDownloads, denyPermissions, guardPages } from './guard.ts'
import { serveIpc } from './ipc.ts'
import { launchWithUtilityProcess } from './launcher.ts'
import { createMenuBar } from './menu-bar.ts'
import { chooseModel, filesAmong, openFiles, queueFiles } from './open-files.ts'
import { quitAfter } from './quit.ts'
import { createWindow } from './window.ts'

// Everything lies in one build: out/main, out/preload, out/renderer.
const output = join(import.meta.dirname, '..')
const entry = (name: string): string => join(output, 'main', `${name}.js`)

/** In development electron-vite serves the page; a packaged app takes no such hint from outside. */
function pageUrl(): string {
  const served = electron.isPackaged ? undefined : process.env['ELECTRON_RENDERER_URL']
  return served ?? `${appOrigin}/index.html`
}

/** `root`: llama.cpp opens models by itself, so they lie beside the archive that holds the code, not in it. */
function buildApp(): App {
  return createApp({
    launch: launchWithUtilityProcess,
    entries: { generator: entry('generator'), trainer: entry('trainer') },
    selkieVersion: electron.getVersion(),
    root: electron.isPackaged ? process.resourcesPath : electron.getAppPath(),
    storeFolder: defaultStoreFolder(),
    workingFolder: electron.getPath('userData'),
    env: process.env,
  })
}

/** Chromium's own files get a folder of their own: on macOS the usual one is the store's. */
function separateUserData(): void {
  const given = electron.commandLine.getSwitchValue('user-data-dir')
  const folder = given || join(electron.getPath('appData'), 'selkie-window')
  mkdirSync(folder, { recursive: true })
  electron.setPath('userData', folder)
}

async function start(): Promise<void> {
  separateUserData()
  if (!electron.requestSingleInstanceLock()) return electron.quit() // the first one is told what this one was given
  registerAppScheme()
  electron.enableSandbox()
  electron.commandLine.appendSwitch('disable-http-cache')
  const files = queueFiles(filesAmong(process.argv.slice(1), process.cwd()))
  electron.on('open-file', (event, path) => {
    event.preventDefault()
    files.add([path])
  })
  await electron.whenReady()

  const url = pageUrl()
  guardPages(url)
  denyPermissions(url)
  allowOwnDownloads(url)
  const app = buildApp()
  serveAppProtocol({
    folder: join(output, 'renderer'),
    adapterFile: (runId, key) => app.adapterFile(runId, key),
  })
  const window = createWindow({
    preload: join(output, 'preload', 'index.cjs'),
    statePath: join(electron.getPath('userData'), 'window.json'),
  })
  quitAfter(() => app.dispose(), window)
  serveIpc(app, window, url)

  const goTo = (address: string): void => {
    window.loadURL(url + address).catch(console.error)
  }
  const open = (paths: readonly string[]): void => void openFiles(paths, app, window, goTo)
  const indicate = createWorkIndicator(window)
  const updateMenu = createMenuBar({
    app,
    window,
    isPackaged: electron.isPackaged,
    goTo,
    openModel: async () => open(await chooseModel(window)),
  })
  watchWork(app, (working) => {
    indicate(working)
    updateMenu(working)
  })
  electron.on('second-instance', (_event, args, workingFolder) => {
    if (window.isMinimized()) window.restore()
    window.focus()
    files.add(filesAmong(args.slice(1), workingFolder))
  })
  await window.loadURL(url)
  files.openWith(open)
}

start().catch((error: unknown) => {
  console.error(error)
  dialog.showErrorBox('Selkie cannot start', error instanceof Error ? error.message : String(error))
  electron.exit(1)
})
