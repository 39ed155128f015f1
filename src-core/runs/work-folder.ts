/**
 * `work/RUN` in the store's folder: it is there while a process works on that run. Adapters lie in it until they are
 * kept or dropped, and other processes leave their requests in it, because only the worker may write to the database.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isStoreLocked } from '../store/lock.ts'

export type RunRequest = 'pause' | 'cancel'

const folderOf = (storeFolder: string, runId: string): string => join(storeFolder, 'work', runId)

/** Returns a folder for adapters that no process has used before: one that was killed may still have a child writing. */
export function makeWorkFolder(storeFolder: string, runId: string): string {
  mkdirSync(folderOf(storeFolder, runId), { recursive: true })
  return mkdtempSync(join(folderOf(storeFolder, runId), 'adapters-'))
}

/** Also what killed processes left of other runs. Only for the one who may write to the store. */
export function removeWork(storeFolder: string): void {
  rmSync(join(storeFolder, 'work'), { recursive: true, force: true, maxRetries: 3 }) // a request may come meanwhile
}

/** Whether a process that is alive works on the run. */
export function isWorkedOn(storeFolder: string, runId: string): boolean {
  return existsSync(folderOf(storeFolder, runId)) && isStoreLocked(storeFolder)
}

export function leaveRequest(storeFolder: string, runId: string, request: RunRequest): void {
  writeFileSync(join(folderOf(storeFolder, runId), request), '')
}

export function isRequested(storeFolder: string, runId: string, request: RunRequest): boolean {
  return existsSync(join(folderOf(storeFolder, runId), request))
}
