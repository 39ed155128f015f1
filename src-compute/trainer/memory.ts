/** How much memory a run takes: measured while it runs, and estimated before it starts. */
import { availableMemory } from 'node:process'
import type { Backend } from '../ggml/backend.ts'

/** Memory in use now, in bytes: this process's resident set, and what lies on a device of its own. */
export function memoryInUse(backend: Backend, activationBytes: number): number {
  return process.memoryUsage.rss() + (backend.isCpu ? 0 : backend.allocatedBytes + activationBytes)
}

/** Memory in bytes that may still be taken, leaving a tenth to others. */
export function memoryLeft(backend: Backend): number {
  return 0.9 * (backend.isCpu ? availableMemory() : backend.device.memoryFreeBytes)
}
