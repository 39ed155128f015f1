/** The Electron transport's host side: one channel for requests, one for events, for our own page's main frame only. */
import { ipcMain, type BrowserWindow } from 'electron'
import { eventChannel, requestChannel } from '../src-shared/api/ipc.ts'
import type { Reply, Transport } from '../src-shared/api/transport.ts'
import { AppError, toWireError } from '../src-shared/errors.ts'
import { originOf } from './window.ts'

export function serveIpc(app: Transport, window: BrowserWindow, url: string): void {
  const { webContents } = window
  ipcMain.handle(requestChannel, async (event, method: unknown, input: unknown): Promise<Reply> => {
    const frame = event.senderFrame
    if (!frame || frame !== webContents.mainFrame || originOf(frame.url) !== originOf(url)) {
      return {
        ok: false,
        error: toWireError(new AppError('invalid_input', 'This page may not ask Selkie for anything.')),
      }
    }
    return await app.request(String(method), input)
  })
  const unsubscribe = app.subscribe((name, payload) => webContents.send(eventChannel, name, payload))
  window.on('closed', () => {
    unsubscribe()
    ipcMain.removeHandler(requestChannel)
  })
}
