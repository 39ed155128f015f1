/** The launcher of plain Node hosts. Electron's is in src-main: there `fork` is switched off. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Launch } from './launcher.ts'

export const launchWithFork: Launch = (entry) => {
  // Advanced serialization carries typed arrays. Nothing that a child prints may reach the host's own stdout.
  const child = fork(entry, { serialization: 'advanced', stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  return {
    processId: () => child.pid,
    send: (message) => {
      // Sound: `Serializable` is narrower than what advanced serialization carries. A failed send means that the
      // child is dying, which `close` reports.
      child.send(message as object, () => undefined)
    },
    onMessage: (listener) => child.on('message', listener),
    onOutput: (listener) => {
      for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', listener)
    },
    onExit: (listener) => {
      // Not `close`: Node never emits it for a child whose channel was closed from this side.
      child.on('exit', (code, signal) => void drained(child).then(() => listener({ code, signal })))
      child.on('error', () => {
        if (child.pid === undefined) listener({ code: null, signal: null }) // could not be started at all
      })
    },
    stop: () => {
      if (child.connected) child.disconnect()
    },
    kill: () => {
      child.kill('SIGKILL')
    },
  }
}

/** How long to wait for the last output of a child that has ended; a grandchild may hold the pipes open for longer. */
const drainMs = 500

async function drained(child: ChildProcess): Promise<void> {
  const signal = AbortSignal.timeout(drainMs)
  const open = [child.stdout, child.stderr].flatMap((stream) => (stream && !stream.closed ? [stream] : []))
  await Promise.allSettled(open.map((stream) => once(stream, 'close', { signal })))
}
