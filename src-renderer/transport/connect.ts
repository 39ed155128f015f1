/**
 * Connects to the host that shows this page: in Electron the preload script offers `window.selkie`, in a browser the
 * server answers a WebSocket.
 */
import type { CatalogueModel } from '../../src-shared/api/models.ts'
import { socketPath } from '../../src-shared/api/socket-protocol.ts'
import {
  createApiClient,
  type ApiClient,
  type Transport,
  type Unsubscribe,
} from '../../src-shared/api/transport.ts'
import { uploadModel } from './upload-model.ts'
import { createWebSocketTransport, type ConnectionState } from './web-socket.ts'

declare global {
  interface Window {
    readonly selkie?: Transport & {
      /** The path of a file that was dropped or chosen; empty for one that the page has made. */
      readonly pathOfFile: (file: File) => string
    }
  }
}

export type HostConnection = ApiClient & {
  /** Tells the present state at once, and every change. Electron's is always open. */
  onConnection(listener: (state: ConnectionState) => void): Unsubscribe
  /** Lists a model file under its name; a browser first sends it. `onProgress`: the share sent, 0 to 1. */
  addModelFile(file: File, onProgress?: (share: number) => void): Promise<CatalogueModel>
}

export function connect(): HostConnection {
  const bridge = window.selkie
  return bridge ? throughElectron(bridge) : throughServer()
}

function throughElectron(bridge: NonNullable<Window['selkie']>): HostConnection {
  const api = createApiClient(bridge)
  return {
    ...api,
    onConnection(listener) {
      listener('open')
      return () => undefined
    },
    addModelFile: (file) => api.call('models.add', { path: bridge.pathOfFile(file) }),
  }
}

function throughServer(): HostConnection {
  const { protocol, host } = location
  const transport = createWebSocketTransport({
    open: (after) => {
      const query = after === null ? '' : `?after=${after}`
      return new WebSocket(`${protocol === 'https:' ? 'wss' : 'ws'}://${host}${socketPath}${query}`)
    },
    isSignedIn: async () => (await fetch('/session')).ok,
    onGap: () => location.reload(),
  })
  return {
    ...createApiClient(transport),
    onConnection: (listener) => transport.onConnection(listener),
    addModelFile: uploadModel,
  }
}
