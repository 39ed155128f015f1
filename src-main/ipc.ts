/** The Electron transport's host side: one channel for requests, one for events, for our own page's main frame only. */
import { ipcMain, type BrowserWindow } from 'electron'
import { eventChannel, requestChannel } from '../src-shared/api/ipc.ts'
import type { Reply, Transport } from '../src-shared/api/transport.ts'
import { AppError, toWireError } from '../src-shared/errors.ts'
import { isSameOrigin } from './guard.ts'

export function serveIpc(app: Transport, window: BrowserWindow, url: string): void {
  const { webContents } = window
  ipcMain.handle(requestChannel, async (event, method: unknown, input: unknown): Promise<Reply> => {
    const frame = event.senderFrame
    if (!frame || frame !== webContents.mainFrame || !isSameOrigin(frame.url, url))
      return refused('This page may not ask Selkie for anything.')
    if (typeof method !== 'string') return refused('A request must name its method.')
    return await app.request(method, input)
  })
  const unsubscribe = app.subscribe((name, payload) => webContents.send(eventChannel, name, payload))
  window.on('closed', () => {
    unsubscribe()
    ipcMain.removeHandler(requestChannel)
  })
}

const refused = (message: string): Reply => ({
  ok: false,
  error: toWireError(new AppError('invalid_input', message)),
})
