/** The one window: no Node in it, its background the page's own from the first moment, its place kept. */
import { app as electron, BrowserWindow, dialog, nativeTheme, screen } from 'electron'
import { readWindowState, stateOf, writeWindowState } from './window-state.ts'

/** The colour --paper of the page's style.css. */
export const paper = { light: '#f6f8f7', dark: '#111716' } as const

export type WindowOptions = { readonly preload: string; readonly statePath: string }

export function createWindow({ preload, statePath }: WindowOptions): BrowserWindow {
  const workAreas = screen.getAllDisplays().map(({ workArea }) => workArea)
  const { bounds, isMaximized } = readWindowState(statePath, workAreas)
  const window = new BrowserWindow({
    width: 1280,
    height: 840,
    ...bounds,
    minWidth: 640,
    minHeight: 400,
    title: 'Selkie',
    backgroundColor: background(),
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
      devTools: !electron.isPackaged,
    },
  })
  if (isMaximized) window.maximize()
  const recolour = (): void => window.setBackgroundColor(background())
  nativeTheme.on('updated', recolour)
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    if (reason !== 'clean-exit') void showAnew(window, reason)
  })
  window.on('close', () => writeWindowState(statePath, stateOf(window)))
  window.on('closed', () => nativeTheme.off('updated', recolour))
  return window
}

/** The page can die of too little memory; the host and its run have not noticed. */
async function showAnew(window: BrowserWindow, reason: string): Promise<void> {
  await dialog.showMessageBox(window, {
    type: 'error',
    message: 'The page has stopped and will be shown anew.',
    detail: `Nothing is lost, and a run that was working goes on. The system’s word for the reason: ${reason}.`,
  })
  window.webContents.reload()
}

const background = (): string => (nativeTheme.shouldUseDarkColors ? paper.dark : paper.light)
