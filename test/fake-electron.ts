/**
 * Stands in for Electron's main-process module: records what the shell sets up, so that tests can look at it and call
 * it. Messages between the two sides go through a structured clone, as Electron's do.
 */
import { EventEmitter } from 'node:events'
import { existsSync } from 'node:fs'
import type { MenuItemConstructorOptions, MessageBoxOptions, Rectangle } from 'electron'

type Handler = (...args: never[]) => unknown

export const recorded = {
  schemes: [] as unknown[],
  protocols: new Map<string, (request: { readonly url: string }) => Promise<Response>>(),
  requests: new Map<string, Handler>(),
  windows: [] as BrowserWindow[],
  permissionRequest: undefined as Handler | undefined,
  permissionCheck: undefined as Handler | undefined,
  menus: [] as MenuItemConstructorOptions[][],
  messages: [] as MessageBoxOptions[],
  openedOutside: [] as string[],
  powerSaveBlockers: [] as { type: string; isStopped: boolean }[],
  calls: [] as string[],
}

/** What the fake answers, for tests to change. */
export const answers = {
  isFirstInstance: true,
  messageBox: 0,
  filePaths: [] as string[],
  workAreas: [{ x: 0, y: 0, width: 1920, height: 1080 }] as Rectangle[],
}

class App extends EventEmitter {
  readonly isPackaged = false
  readonly #paths = new Map<string, string>()
  readonly commandLine = {
    getSwitchValue: (): string => '',
    appendSwitch: (name: string): void => void recorded.calls.push(`appendSwitch ${name}`),
  }
  requestSingleInstanceLock(): boolean {
    recorded.calls.push('requestSingleInstanceLock')
    return answers.isFirstInstance
  }
  enableSandbox(): void {
    recorded.calls.push('enableSandbox')
  }
  async whenReady(): Promise<void> {
    recorded.calls.push('whenReady')
  }
  getVersion(): string {
    return '0.0.0'
  }
  getAppPath(): string {
    return process.cwd()
  }
  setPath(name: string, path: string): void {
    if (!existsSync(path)) throw new Error(`Failed to set path: ${path} does not exist`)
    recorded.calls.push(`setPath ${name}`)
    this.#paths.set(name, path)
  }
  /** Only what was set before: a test decides where its files go. */
  getPath(name: string): string {
    const path = this.#paths.get(name)
    if (path === undefined) throw new Error(`Set the path "${name}" first.`)
    return path
  }
  quit(): void {
    recorded.calls.push('quit')
  }
  exit(code: number): void {
    recorded.calls.push(`exit ${code}`)
  }
}
export const app = new App()

export const protocol = {
  registerSchemesAsPrivileged(schemes: unknown[]): void {
    recorded.calls.push('registerSchemesAsPrivileged')
    recorded.schemes.push(...schemes)
  },
  handle(scheme: string, handler: (request: { readonly url: string }) => Promise<Response>): void {
    recorded.protocols.set(scheme, handler)
  },
}

class Session extends EventEmitter {
  setPermissionRequestHandler(handler: Handler): void {
    recorded.permissionRequest = handler
  }
  setPermissionCheckHandler(handler: Handler): void {
    recorded.permissionCheck = handler
  }
}
export const session = { defaultSession: new Session() }

export const nativeTheme = new (class extends EventEmitter {
  shouldUseDarkColors = true
})()

export const screen = {
  getAllDisplays: (): { workArea: Rectangle }[] => answers.workAreas.map((workArea) => ({ workArea })),
}

export const shell = {
  openExternal: async (url: string): Promise<void> => void recorded.openedOutside.push(url),
}

export const powerSaveBlocker = {
  start: (type: string): number => recorded.powerSaveBlockers.push({ type, isStopped: false }) - 1,
  stop(id: number): void {
    const blocker = recorded.powerSaveBlockers[id]
    if (!blocker || blocker.isStopped) throw new Error(`There is no blocker ${id} to stop.`)
    blocker.isStopped = true
  },
}

export const dialog = {
  async showMessageBox(_window: unknown, options: MessageBoxOptions): Promise<{ response: number }> {
    recorded.messages.push(options)
    return { response: answers.messageBox }
  },
  showErrorBox: (title: string, content: string): void =>
    void recorded.calls.push(`showErrorBox ${title}: ${content}`),
  showOpenDialog: async (): Promise<{ filePaths: string[] }> => ({ filePaths: answers.filePaths }),
}

export const Menu = {
  buildFromTemplate: (template: MenuItemConstructorOptions[]): MenuItemConstructorOptions[] => template,
  setApplicationMenu: (menu: MenuItemConstructorOptions[]): void => void recorded.menus.push(menu),
}

/** The page's side of the bridge: what a preload script would call. */
export const ipcRenderer = new (class extends EventEmitter {
  async invoke(channel: string, ...args: unknown[]): Promise<unknown> {
    const mainFrame = recorded.windows.at(-1)?.webContents.mainFrame
    return await invokeFrom(mainFrame, channel, ...args)
  }
})()

export const webUtils = {
  getPathForFile(file: unknown): string {
    const path = (file as { readonly path?: unknown } | null)?.path // sound: asked whether it is there
    if (typeof path !== 'string') throw new TypeError('getPathForFile takes a File.')
    return path
  },
}

/** A request as it arrives from any frame, our own or a foreign one. */
export async function invokeFrom(
  senderFrame: unknown,
  channel: string,
  ...args: unknown[]
): Promise<unknown> {
  const handler = recorded.requests.get(channel)
  if (!handler) throw new Error(`No handler registered for '${channel}'`)
  const call = handler as (...all: unknown[]) => unknown
  return structuredClone(await call({ senderFrame }, ...structuredClone(args)))
}

export const ipcMain = {
  handle(channel: string, handler: Handler): void {
    if (recorded.requests.has(channel))
      throw new Error(`Attempted to register a second handler for '${channel}'`)
    recorded.requests.set(channel, handler)
  },
  removeHandler: (channel: string): void => void recorded.requests.delete(channel),
}

export class WebContents extends EventEmitter {
  readonly mainFrame = { url: 'app://selkie/index.html' }
  openHandler: ((details: { readonly url: string }) => { readonly action: string }) | undefined
  constructor() {
    super()
    app.emit('web-contents-created', {}, this)
  }
  setWindowOpenHandler(handler: (details: { readonly url: string }) => { readonly action: string }): void {
    this.openHandler = handler
  }
  reload(): void {
    recorded.calls.push('reload')
  }
  send(channel: string, ...args: unknown[]): void {
    ipcRenderer.emit(channel, {}, ...structuredClone(args))
  }
}

type WindowOptions = Partial<Rectangle> & {
  readonly backgroundColor?: string
  readonly webPreferences: Readonly<Record<string, unknown>>
}

export class BrowserWindow extends EventEmitter {
  readonly webContents = new WebContents()
  readonly loaded: string[] = []
  readonly options: WindowOptions
  readonly calls: string[] = []
  readonly progress: number[] = []
  backgroundColor: string | undefined
  constructor(options: WindowOptions) {
    super()
    this.options = options
    this.backgroundColor = options.backgroundColor
    recorded.windows.push(this)
  }
  async loadURL(url: string): Promise<void> {
    this.loaded.push(url)
  }
  setBackgroundColor(color: string): void {
    this.backgroundColor = color
  }
  setProgressBar(share: number): void {
    this.progress.push(share)
  }
  getNormalBounds(): Rectangle {
    const { x = 10, y = 20, width = 800, height = 600 } = this.options
    return { x, y, width, height }
  }
  isMaximized(): boolean {
    return this.calls.includes('maximize')
  }
  isMinimized(): boolean {
    return true
  }
  isDestroyed(): boolean {
    return false
  }
  maximize(): void {
    this.calls.push('maximize')
  }
  restore(): void {
    this.calls.push('restore')
  }
  focus(): void {
    this.calls.push('focus')
  }
}

export const utilityProcess = {
  fork(): never {
    throw new Error('This fake starts no processes.')
  },
}

/** Filled by the preload script under test. */
export const exposed = new Map<string, unknown>()
export const contextBridge = {
  exposeInMainWorld: (name: string, value: unknown): void => void exposed.set(name, value),
}
