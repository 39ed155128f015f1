/** Which screen is shown: the part of the address after `#`. Addresses are made by `href` in src-shared/routes.ts. */
import { parseRoute, type Route } from '../../src-shared/routes.ts'
import type { HostConnection } from '../transport/connect.ts'
import type { Activity } from './activity.svelte.ts'
import type { Theme } from './theme.svelte.ts'

/** What every view is given. `route` follows the address: another run makes a new view, the rest of it does not. */
export type ViewProps = {
  readonly api: HostConnection
  readonly route: Route
  readonly activity: Activity
  readonly theme: Theme
}

export type Router = Route & { watch(): () => void }

export function createRouter(): Router {
  let route = $state.raw(parseRoute(location.hash))
  return {
    get path() {
      return route.path
    },
    get query() {
      return route.query
    },
    /** Follows the address until the returned function is called. */
    watch() {
      const follow = (): void => void (route = parseRoute(location.hash))
      addEventListener('hashchange', follow)
      return () => removeEventListener('hashchange', follow)
    },
  }
}

/** Goes to an address made by `href`. Back returns. */
export function go(address: string): void {
  location.hash = address
}

/** Changes the address without a new entry in the history, for what only refines a screen: a search, a filter. */
export function refine(address: string): void {
  history.replaceState(history.state, '', address)
  dispatchEvent(new HashChangeEvent('hashchange'))
}
