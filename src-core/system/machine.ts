/** What this machine has left for a run. */
import { existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { availableMemory } from 'node:process'
import type { Machine } from '../../src-shared/plan.ts'

/** The store folder may not be there yet: the disk is that of the nearest folder above it which is. */
export function machineOf(storeFolder: string): Machine {
  let folder = storeFolder
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
  const { bavail, bsize } = statfsSync(folder)
  return { memoryFreeBytes: availableMemory(), diskFreeBytes: bavail * bsize }
}
