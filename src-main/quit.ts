/** A quit waits until the run is paused and the compute processes have ended; a person who waits is told why. */
import { app as electron, dialog, type BrowserWindow } from 'electron'

/** After this the person is told what Selkie waits for. */
const patienceMs = 2_000

/** Closing the window is quitting. `dispose` pauses what runs; if it fails, the quit goes on: the store is whole anyway. */
export function quitAfter(dispose: () => Promise<void>, window: BrowserWindow): void {
  let state: 'open' | 'closing' | 'closed' = 'open'
  const finish = (): void => {
    state = 'closed'
    electron.quit()
  }
  const close = async (): Promise<void> => {
    const disposed = new AbortController()
    const timer = setTimeout(() => void offerToLeave(window, disposed.signal, finish), patienceMs)
    try {
      await dispose()
    } catch (error) {
      console.error(error)
    }
    clearTimeout(timer)
    disposed.abort()
    finish()
  }
  electron.on('before-quit', (event) => {
    if (state === 'closed') return
    event.preventDefault()
    if (state === 'closing') return
    state = 'closing'
    void close()
  })
  window.on('close', (event) => {
    if (state === 'closed') return
    event.preventDefault() // the window stays until all is put away, with whatever it has to say
    electron.quit()
  })
}

async function offerToLeave(window: BrowserWindow, signal: AbortSignal, leave: () => void): Promise<void> {
  const { response } = await dialog.showMessageBox(window, {
    type: 'info',
    message: 'Pausing the run …',
    detail:
      'Selkie closes as soon as the work at hand is put away. Nothing is lost, also not if you quit now: a resumed run goes on after its last finished step.',
    buttons: ['Wait', 'Quit now'],
    defaultId: 0,
    cancelId: 0,
    signal,
  })
  if (response === 1) leave()
}
