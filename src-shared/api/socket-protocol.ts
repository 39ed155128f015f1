/** What goes over the WebSocket between the headless server and the page: JSON texts, requests and events on one line. */
import type { Reply } from './transport.ts'

export const socketPath = '/socket'
/** Of one request, and of a body that is no file. A longer one ends the connection. */
export const maxFrameBytes = 8 << 20

export type ClientFrame = { readonly id: number; readonly method: string; readonly input?: unknown }
/**
 * Events are numbered from 1 for all clients, and the first frame says after which number this connection goes on. A
 * client that comes back asks for `?after=NUMBER`; a gap is what the server does not have any more.
 */
export type ServerFrame =
  | { readonly type: 'reply'; readonly id: number; readonly reply: Reply }
  | { readonly type: 'event'; readonly number: number; readonly name: string; readonly payload: unknown }
  | { readonly type: 'hello'; readonly number: number; readonly hasGap: boolean }
