/** Connects to the host that shows this page: in Electron the preload script offers `window.selkie`. */
import { createApiClient, type ApiClient, type Transport } from '../../src-shared/api/transport.ts'

declare global {
  interface Window {
    readonly selkie?: Transport
  }
}

export function connect(): ApiClient {
  if (!window.selkie) throw new Error('This page must be opened by Selkie.')
  return createApiClient(window.selkie)
}
