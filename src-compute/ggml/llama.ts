/** libllama opened once per process, with the devices it can use. Models, adapters and contexts are in the files beside. */
import type { DeviceInfo } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { listDevices } from './backend.ts'
import type { ComputeClock } from './compute-clock.ts'
import type { NativeLibraries } from './library.ts'
import { declareLlama, type LlamaFunctions } from './llama-declarations.ts'

export type Llama = {
  readonly functions: LlamaFunctions
  readonly devices: readonly DeviceInfo[]
  readonly clock: ComputeClock
}

export function openLlama(libraries: NativeLibraries): Llama {
  return { functions: declareLlama(libraries), devices: listDevices(libraries), clock: libraries.clock }
}

/** The device of that name, or the best one: a GPU if there is one, else the CPU. Throws `not_found`. */
export function chooseDevice(devices: readonly DeviceInfo[], name?: string): DeviceInfo {
  const isGpu = ({ kind }: DeviceInfo): boolean => kind === 'gpu' || kind === 'integrated'
  const found =
    name === undefined
      ? (devices.find(isGpu) ?? devices.find(({ kind }) => kind === 'cpu'))
      : devices.find((device) => device.name === name)
  if (found) return found
  const names = devices.map((device) => device.name).join(', ') || 'none'
  throw new AppError('not_found', `There is no device "${name ?? 'CPU'}". Choose one of: ${names}.`)
}
