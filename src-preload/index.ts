/**
 * The bridge: `request`, `subscribe`, and where a file lies that was dropped on the page. Everything typed is built on
 * top of them in the page.
 */
import { contextBridge, ipcRenderer, webUtils } from 'electron'
import { eventChannel, requestChannel } from '../src-shared/api/ipc.ts'
import type { Reply, Transport } from '../src-shared/api/transport.ts'

/** `pathOfFile`: absolute, or empty for a file that the page has made itself. */
type Bridge = Transport & { pathOfFile(file: unknown): string }

const bridge: Bridge = {
  request: (method, input) => ipcRenderer.invoke(requestChannel, method, input) as Promise<Reply>, // sound: see src-main/ipc.ts
  subscribe(listener) {
    const relay = (_event: unknown, name: string, payload: unknown): void => listener(name, payload)
    ipcRenderer.on(eventChannel, relay)
    return () => {
      ipcRenderer.off(eventChannel, relay)
    }
  },
  // Sound: Electron refuses with a TypeError what is not a File. Node's types know no File of a page.
  pathOfFile: (file) => webUtils.getPathForFile(file as Parameters<typeof webUtils.getPathForFile>[0]),
}

contextBridge.exposeInMainWorld('selkie', bridge)
