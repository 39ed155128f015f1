/** Electron's launcher: compute processes are utility processes, because `fork` is switched off in the packaged app. */
import { utilityProcess } from 'electron'
import type { Launch } from '../src-core/compute/launcher.ts'

export const launchWithUtilityProcess: Launch = (entry) => {
  const child = utilityProcess.fork(entry, [], {
    serviceName: 'selkie-compute',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return {
    processId: () => child.pid,
    send: (message) => child.postMessage(message),
    onMessage: (listener) => child.on('message', listener),
    onOutput: (listener) => {
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (chunk: Buffer) => listener(chunk.toString('utf8')))
    },
    onExit: (listener) => child.on('exit', (code) => listener({ code, signal: null })),
    stop: () => child.kill(), // a request to end; Electron offers nothing gentler and nothing harder
    kill: () => child.kill(),
  }
}
