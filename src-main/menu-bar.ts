/** Keeps the native menu true: it is made again when a run begins or ends. What the menu starts, fails into a message box. */
import { dialog, Menu, type BrowserWindow } from 'electron'
import { createApiClient, type Transport } from '../src-shared/api/transport.ts'
import type { RunRow } from '../src-shared/api/workbench.ts'
import { toWireError } from '../src-shared/errors.ts'
import type { Working } from './activity.ts'
import { openLink } from './guard.ts'
import { menuTemplate, type MenuActions } from './menu.ts'

export type MenuBarOptions = {
  readonly app: Transport
  readonly window: BrowserWindow
  readonly isPackaged: boolean
  readonly goTo: (address: string) => void
  readonly openModel: () => Promise<void>
}

/** Shows the menu. The returned function is to be told what is worked on. */
export function createMenuBar(options: MenuBarOptions): (working: Working | null) => void {
  const { app, window, isPackaged, goTo, openModel } = options
  const api = createApiClient(app)
  let workingOn: string | null = null
  let recentRuns: readonly RunRow[] = []

  const attempt = (action: () => Promise<unknown>): void => {
    action().catch((error: unknown) => {
      void dialog.showMessageBox(window, { type: 'error', message: toWireError(error).message })
    })
  }
  const actions: MenuActions = {
    goTo,
    openLink,
    openModel: () => attempt(openModel),
    pause: (id) => attempt(() => api.call('runs.pause', { id })),
    cancel: (id) =>
      attempt(async () => {
        if (await isSureToCancel(window)) await api.call('runs.cancel', { id })
      }),
  }
  const show = (): void => {
    const state = { platform: process.platform, isPackaged, recentRuns, workingOn }
    Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(state, actions)))
  }
  const readRecentRuns = async (): Promise<void> => {
    const { rows } = await api.call('runs.page', { offset: 0, limit: 10, search: '' })
    recentRuns = rows
    show()
  }
  show()
  readRecentRuns().catch(console.error) // the page says what is wrong with the store; the menu then has no runs
  return (working) => {
    const runId = working?.runId ?? null
    if (runId === workingOn) return
    workingOn = runId
    show()
    readRecentRuns().catch(console.error)
  }
}

async function isSureToCancel(window: BrowserWindow): Promise<boolean> {
  const { response } = await dialog.showMessageBox(window, {
    type: 'warning',
    message: 'Cancel this run?',
    detail: 'What it has made stays, but it cannot be resumed. Pause it to go on later.',
    buttons: ['Keep running', 'Cancel the run'],
    defaultId: 0,
    cancelId: 0,
  })
  return response === 1
}
