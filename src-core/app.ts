/** Builds the whole Electron-free application. A host supplies the launcher, and exposes `request` and `subscribe`. */
import type { Events, EventName } from '../src-shared/api/contract.ts'
import type { Transport } from '../src-shared/api/transport.ts'
import { createDispatch } from './api/router.ts'
import { Compute, type ComputeEntries } from './compute/compute.ts'
import type { Launch } from './compute/launcher.ts'
import { Jobs } from './jobs/jobs.ts'
import { createJobRunner } from './jobs/run.ts'
import { readGgufFile } from './models/gguf-file.ts'
import { inspectGguf } from './models/inspect.ts'
import { examine } from './system/doctor.ts'

export type AppOptions = {
  readonly launch: Launch
  readonly entries: ComputeEntries
  readonly selkieVersion: string
  readonly root: string // the project's or the packaged app's folder
  readonly workingFolder: string
  readonly env: NodeJS.ProcessEnv
}

/** `dispose` cancels what runs and ends the compute processes. */
export type App = Transport & { dispose(): Promise<void> }

export function createApp({ launch, entries, ...surroundings }: AppOptions): App {
  const listeners = new Set<(name: string, payload: unknown) => void>()
  const emit = <E extends EventName>(name: E, payload: Events[E]): void => {
    for (const listener of [...listeners]) listener(name, payload)
  }
  const compute = new Compute(launch, entries)
  const jobs = new Jobs(createJobRunner({ compute, readGgufHeader: readGgufFile }), (event) =>
    emit('job', event),
  )
  const request = createDispatch({
    'system.doctor': () => examine({ ...surroundings, ready: (process) => compute.ready(process) }),
    'files.inspect': ({ path }) => inspectGguf(path),
    'jobs.start': (spec) => jobs.start(spec),
    'jobs.get': ({ id }) => jobs.get(id),
    'jobs.list': () => jobs.list(),
    'jobs.cancel': ({ id }) => jobs.cancel(id),
  })
  return {
    request,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    dispose: async () => {
      await compute.dispose()
      await jobs.dispose()
    },
  }
}
