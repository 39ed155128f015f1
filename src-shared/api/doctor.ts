/** What `doctor` finds out about this machine: versions, devices, room, and what is missing. */
import type { DeviceInfo } from '../compute-protocol.ts'
import type { ErrorCode } from '../errors.ts'

/** `message` says what was found and, unless all is well, how to get what is missing. */
export type DoctorCheck = {
  readonly name: 'node' | 'trainer' | 'generator' | 'gpu' | 'memory' | 'disk' | 'electron'
  readonly status: 'ok' | 'note' | 'missing' // a note limits something; something missing prevents work
  readonly message: string
  readonly code?: ErrorCode
}

export type DoctorReport = {
  readonly versions: { readonly selkie: string; readonly node: string; readonly llamaCpp: string | null }
  readonly platform: { readonly os: string; readonly release: string; readonly architecture: string }
  readonly cpu: { readonly model: string; readonly cores: number }
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number }
  readonly disk: { readonly path: string; readonly totalBytes: number; readonly freeBytes: number }
  readonly backends: readonly string[] // 'CPU', 'CUDA', …
  readonly devices: readonly DeviceInfo[]
  readonly electron: { readonly binary: string | null }
  readonly checks: readonly DoctorCheck[]
}
