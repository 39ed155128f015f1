/** How busy the machine and the compute processes are, from one look to the next. */
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { availableMemory } from 'node:process'
import type { MachineLoad } from '../../src-shared/api/runs.ts'

export type LoadMeter = {
  /** Since the last look. The first one says nothing of processors. */
  look(): MachineLoad
}

/** What /proc counts processor time in, on every Linux that Node runs on. */
const ticksPerSecond = 100

/** `processIds`: the compute processes that are alive now. What they use can be told on Linux only. */
export function createLoadMeter(processIds: () => readonly number[]): LoadMeter {
  let before: { readonly atMs: number; readonly ticks: ReadonlyMap<number, number> } | undefined
  let processorsBefore = processorTimes()
  return {
    look() {
      const atMs = performance.now()
      const found = processIds().flatMap((id) => {
        const use = processUse(id)
        return use ? [{ id, ...use }] : []
      })
      const ticks = new Map(found.map((each) => [each.id, each.ticks]))
      const processors = processorTimes()
      const total = processors.total - processorsBefore.total
      const seconds = before && (atMs - before.atMs) / 1000
      // A process that was not there at the last look has done all its work since.
      const spent = found.reduce((sum, each) => sum + each.ticks - (before?.ticks.get(each.id) ?? 0), 0)
      const load = {
        processors: cpus().length,
        busyShare: before && total > 0 ? (processors.busy - processorsBefore.busy) / total : null,
        computeProcessors: seconds && found.length > 0 ? spent / ticksPerSecond / seconds : null,
        computeBytes: found.length > 0 ? found.reduce((sum, { bytes }) => sum + bytes, 0) : null,
        memoryFreeBytes: availableMemory(),
        memoryTotalBytes: totalmem(),
      }
      before = { atMs, ticks }
      processorsBefore = processors
      return load
    },
  }
}

/** Milliseconds over all processors since the machine started. */
function processorTimes(): { readonly busy: number; readonly total: number } {
  let busy = 0
  let total = 0
  for (const { times } of cpus()) {
    const working = times.user + times.nice + times.sys + times.irq
    busy += working
    total += working + times.idle
  }
  return { busy, total }
}

/** Undefined for a process that has ended, and on systems without /proc. */
function processUse(id: number): { readonly ticks: number; readonly bytes: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before it may hold blanks
    const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]
    return { ticks: Number(fields[11]) + Number(fields[12]), bytes: Number(resident ?? 0) * 1024 }
  } catch {
    return undefined // it ended between being listed and being looked at
  }
}
