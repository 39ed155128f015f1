/**
 * What no page may do, in this window or any other that might ever open: leave our page, open windows, hold webviews,
 * ask for permissions. Links lead out through the system's browser, and only those that are listed here.
 */
import { app as electron, session, shell, type WebContents } from 'electron'

/** The only addresses outside that Selkie opens. */
export const links = [
  { label: 'The SEAL paper', url: 'https://arxiv.org/abs/2506.10943' },
  { label: 'The GGUF format', url: 'https://github.com/ggml-org/ggml/blob/master/docs/gguf.md' },
] as const

/** Opens a listed address in the system's browser; any other is ignored. */
export function openLink(url: string): void {
  if (links.some((link) => link.url === url)) void shell.openExternal(url)
}

/** Must be called before the first window is made. */
export function guardPages(pageUrl: string): void {
  electron.on('web-contents-created', (_event, contents) => guard(contents, pageUrl))
}

function guard(contents: WebContents, pageUrl: string): void {
  contents.setWindowOpenHandler(({ url }) => {
    openLink(url)
    return { action: 'deny' }
  })
  const stay = (event: { preventDefault(): void; readonly url: string }): void => {
    if (!isSamePage(event.url, pageUrl)) event.preventDefault()
  }
  contents.on('will-navigate', stay)
  contents.on('will-frame-navigate', stay)
  contents.on('will-redirect', stay)
  contents.on('will-attach-webview', (event) => event.preventDefault())
}

/** All permissions but one: our own page may put text on the clipboard. */
export function denyPermissions(pageUrl: string): void {
  const isGranted = (permission: string, url: string | undefined): boolean =>
    permission === 'clipboard-sanitized-write' && url !== undefined && isSameOrigin(url, pageUrl)
  const { defaultSession } = session
  defaultSession.setPermissionRequestHandler((_contents, permission, decide, { requestingUrl }) =>
    decide(isGranted(permission, requestingUrl)),
  )
  defaultSession.setPermissionCheckHandler((_contents, permission, origin) => isGranted(permission, origin))
}

/** Files are saved from our own page only: adapters, and the tables and charts that it makes itself. */
export function allowOwnDownloads(pageUrl: string): void {
  session.defaultSession.on('will-download', (event, item) => {
    if (!isSameOrigin(item.getURL().replace(/^blob:/, ''), pageUrl)) event.preventDefault()
  })
}

/** Scheme and host; URL.origin is "null" for a scheme of our own in Node. An address that is none is nobody's. */
export function isSameOrigin(url: string, pageUrl: string): boolean {
  const [given, page] = [URL.parse(url), URL.parse(pageUrl)]
  return given !== null && given.protocol === page?.protocol && given.host === page.host
}

const isSamePage = (url: string, pageUrl: string): boolean =>
  isSameOrigin(url, pageUrl) && URL.parse(url)?.pathname === URL.parse(pageUrl)?.pathname
