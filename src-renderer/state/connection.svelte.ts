/** Whether the host can be reached. */
import type { HostConnection } from '../transport/connect.ts'
import type { ConnectionState } from '../transport/web-socket.ts'

export type Connection = { readonly state: ConnectionState; watch(): () => void }

export function createConnection(host: HostConnection): Connection {
  let state = $state<ConnectionState>('connecting')
  return {
    get state() {
      return state
    },
    /** Follows until the returned function is called. */
    watch: () => host.onConnection((next) => (state = next)),
  }
}
