/** The compute processes of an app behind one door: every request takes its turn on the device it computes on. */
import type { AllMethods, ComputeMethods, DeviceInfo, Pair } from '../../src-shared/compute-protocol.ts'
import { ComputeClient, type ComputeReady, type RequestOptions } from './compute-client.ts'
import type { Launch } from './launcher.ts'
import { Turns } from './turns.ts'

export type ComputeProcess = 'generator' | 'trainer'

/** The modules to start as children, absolute paths. A host knows them by path only. */
export type ComputeEntries = Readonly<Record<ComputeProcess, string>>

type Options<Progress> = RequestOptions<Progress> & { readonly signal: AbortSignal; readonly pair?: Pair }
type Client = ComputeClient<ComputeMethods>

export class Compute {
  readonly #turns = new Turns()
  readonly #clients = new Map<string, Client>() // by process and pair
  readonly #launch: Launch
  readonly #entries: ComputeEntries

  constructor(launch: Launch, entries: ComputeEntries) {
    this.#launch = launch
    this.#entries = entries
  }

  /** Starts the process if need be. Throws what kept it from starting. */
  async ready(process: ComputeProcess): Promise<ComputeReady> {
    return await this.#client(process, 0).ready()
  }

  /** Throws the process's error, `compute_crashed` if it died, or `cancelled`. */
  async request<Name extends keyof AllMethods>(
    method: Name,
    input: AllMethods[Name][0],
    { pair, ...options }: Options<AllMethods[Name][2]>,
  ): Promise<AllMethods[Name][1]> {
    const client = this.#client(method.startsWith('generator.') ? 'generator' : 'trainer', pair?.index ?? 0)
    const { devices } = await client.ready()
    const device = ('device' in input ? input.device : undefined) ?? bestDevice(devices)
    // Sound: the method's name decides the types of its input, progress and output.
    const request = (): Promise<AllMethods[Name][1]> =>
      client.request(method, input, options as RequestOptions<unknown>) as Promise<AllMethods[Name][1]>
    if (withoutComputing.has(method)) return await request()
    const place = pair && device === 'CPU' ? pair.index : null
    return await this.#turns.take(device, options.signal, request, place)
  }

  /** Of the processes that run now. */
  get processIds(): readonly number[] {
    return Array.from(this.#clients.values(), ({ processId }) => processId).filter((id) => id !== undefined)
  }

  async dispose(): Promise<void> {
    await Promise.all(Array.from(this.#clients.values(), (client) => client.dispose()))
  }

  #client(name: ComputeProcess, pair: number): Client {
    const key = `${name} ${pair}`
    const client =
      this.#clients.get(key) ?? new ComputeClient({ name, entry: this.#entries[name], launch: this.#launch })
    this.#clients.set(key, client)
    return client
  }
}

/** They take next to no time, and need not wait while others compute. */
const withoutComputing: ReadonlySet<keyof AllMethods> = new Set<keyof AllMethods>([
  'generator.tokenize',
  'generator.tokenTexts',
  'generator.chatPrompts',
  'generator.computeSeconds',
  'trainer.computeSeconds',
])

/** The device that a process chooses by itself: the first that is not the CPU. */
function bestDevice(devices: readonly DeviceInfo[]): string {
  return devices.find(({ kind }) => kind === 'gpu' || kind === 'integrated')?.name ?? 'CPU'
}
