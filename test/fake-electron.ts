/**
 * Stands in for Electron's main-process module: records what the shell sets up, so that tests can look at it and call
 * it. Messages between the two sides go through a structured clone, as Electron's do.
 */
import { EventEmitter } from 'node:events'

type Handler = (...args: never[]) => unknown

export const recorded = {
  schemes: [] as unknown[],
  protocols: new Map<string, (request: { readonly url: string }) => Promise<Response>>(),
  requests: new Map<string, Handler>(),
  windows: [] as BrowserWindow[],
  permissionRequest: undefined as Handler | undefined,
  permissionCheck: undefined as Handler | undefined,
  calls: [] as string[],
}

class App extends EventEmitter {
  readonly isPackaged = false
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
  getPath(): string {
    return process.cwd()
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

export const session = {
  defaultSession: {
    setPermissionRequestHandler(handler: Handler): void {
      recorded.permissionRequest = handler
    },
    setPermissionCheckHandler(handler: Handler): void {
      recorded.permissionCheck = handler
    },
  },
}

/** The page's side of the bridge: what a preload script would call. */
export const ipcRenderer = new (class extends EventEmitter {
  async invoke(channel: string, ...args: unknown[]): Promise<unknown> {
    const mainFrame = recorded.windows.at(-1)?.webContents.mainFrame
    return await invokeFrom(mainFrame, channel, ...args)
  }
})()

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

class WebContents extends EventEmitter {
  readonly mainFrame = { url: 'app://selkie/index.html' }
  openHandler: ((details: { readonly url: string }) => { readonly action: string }) | undefined
  setWindowOpenHandler(handler: (details: { readonly url: string }) => { readonly action: string }): void {
    this.openHandler = handler
  }
  send(channel: string, ...args: unknown[]): void {
    ipcRenderer.emit(channel, {}, ...structuredClone(args))
  }
}

export class BrowserWindow extends EventEmitter {
  readonly webContents = new WebContents()
  readonly loaded: string[] = []
  readonly options: { readonly webPreferences: Readonly<Record<string, unknown>> }
  constructor(options: BrowserWindow['options']) {
    super()
    this.options = options
    recorded.windows.push(this)
  }
  async loadURL(url: string): Promise<void> {
    this.loaded.push(url)
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
