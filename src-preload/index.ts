/** The bridge: `request` and `subscribe`, nothing else. Everything typed is built on top of them in the page. */
import { contextBridge, ipcRenderer } from 'electron'
import { eventChannel, requestChannel } from '../src-shared/api/ipc.ts'
import type { Reply, Transport } from '../src-shared/api/transport.ts'

const bridge: Transport = {
  request: (method, input) => ipcRenderer.invoke(requestChannel, method, input) as Promise<Reply>, // sound: see src-main/ipc.ts
  subscribe(listener) {
    const relay = (_event: unknown, name: string, payload: unknown): void => listener(name, payload)
    ipcRenderer.on(eventChannel, relay)
    return () => {
      ipcRenderer.off(eventChannel, relay)
    }
  },
}

contextBridge.exposeInMainWorld('selkie', bridge)
