/** The two compute processes of an app behind one door: every request takes its turn on the device it computes on. */
import type { AllMethods, ComputeMethods, DeviceInfo } from '../../src-shared/compute-protocol.ts'
import { ComputeClient, type ComputeReady, type RequestOptions } from './compute-client.ts'
import type { Launch } from './launcher.ts'
import { Turns } from './turns.ts'

export type ComputeProcess = 'generator' | 'trainer'

/** The modules to start as children, absolute paths. A host knows them by path only. */
export type ComputeEntries = Readonly<Record<ComputeProcess, string>>

type Options<Progress> = RequestOptions<Progress> & { readonly signal: AbortSignal }

export class Compute {
  readonly #turns = new Turns()
  readonly #clients: Readonly<Record<ComputeProcess, ComputeClient<ComputeMethods>>>

  constructor(launch: Launch, entries: ComputeEntries) {
    const client = (name: ComputeProcess): ComputeClient<ComputeMethods> =>
      new ComputeClient({ name, entry: entries[name], launch })
    this.#clients = { generator: client('generator'), trainer: client('trainer') }
  }

  /** Starts the process if need be. Throws what kept it from starting. */
  async ready(process: ComputeProcess): Promise<ComputeReady> {
    return await this.#clients[process].ready()
  }

  /** Throws the process's error, `compute_crashed` if it died, or `cancelled`. */
  async request<Name extends keyof AllMethods>(
    method: Name,
    input: AllMethods[Name][0],
    options: Options<AllMethods[Name][2]>,
  ): Promise<AllMethods[Name][1]> {
    const client = this.#clients[method.startsWith('generator.') ? 'generator' : 'trainer']
    const { devices } = await client.ready()
    const device = ('device' in input ? input.device : undefined) ?? bestDevice(devices)
    // Sound: the method's name decides the types of its input, progress and output.
    const request = (): Promise<AllMethods[Name][1]> =>
      client.request(method, input, options as RequestOptions<unknown>) as Promise<AllMethods[Name][1]>
    return await this.#turns.take(device, options.signal, request)
  }

  async dispose(): Promise<void> {
    await Promise.all(Object.values(this.#clients).map((client) => client.dispose()))
  }
}

/** The device that a process chooses by itself: the first that is not the CPU. */
function bestDevice(devices: readonly DeviceInfo[]): string {
  return devices.find(({ kind }) => kind === 'gpu' || kind === 'integrated')?.name ?? 'CPU'
}
