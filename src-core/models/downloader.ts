/**
 * Downloads one model file so that nothing has to arrive twice and nothing wrong gets a name: goes on after broken
 * connections, cancelling and kills; checks size, checksum and GGUF header; then gives the file its name.
 */
import fs from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError, toWireError } from '../../src-shared/errors.ts'
import { describeForeignFile } from '../../src-shared/gguf/foreign-file.ts'
import { openFileSource } from '../../src-shared/gguf/open-gguf.ts'
import { readGguf } from '../../src-shared/gguf/reader.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import { requireModel } from './describe-model.ts'
import { PartialFile } from './partial-file.ts'
import { tryPatiently, type Patience } from './patience.ts'
import type { Hub, RemoteModel } from './references.ts'
import { ConnectionBroken, openRemoteFile, type RemoteAnswer } from './remote-file.ts'

export type DownloadProgress = {
  readonly receivedBytes: number // of the whole file, with what was there before
  readonly totalBytes: number | null
  readonly bytesPerSecond: number // mean of this attempt
}

export type DownloadOptions = {
  readonly remote: RemoteModel
  readonly hub: Hub
  readonly target: string // must not exist
  readonly sha256?: string // in lower-case hex; default: the one that the server announces, if it does
  readonly allowHttp: boolean
  readonly signal: AbortSignal // what has arrived is kept
  readonly onProgress: (progress: DownloadProgress) => void
  readonly patience: Patience
}

export type Download = {
  readonly header: GgufFile
  readonly sha256: string
  readonly verifiedAgainst: 'given' | 'announced' | null
  readonly resumedBytes: number // left by an earlier download
}

const progressIntervalMs = 200

/**
 * Throws `cancelled`; `conflict` (taken name, another download of it); `disk_full`; `corrupt_file` (wrong size, checksum
 * or header, no GGUF); `mismatch` (the server announces another checksum than the given one); `not_found`,
 * `invalid_input` (refused); `internal` if the connection breaks again and again.
 */
export async function downloadFile(options: DownloadOptions): Promise<Download> {
  const { remote, target, patience, signal, onProgress } = options
  if (fs.existsSync(target))
    throw new AppError('conflict', `${target} is already there. Choose another --name.`, { path: target })
  try {
    const partial = await PartialFile.open(target, remote.url.href, signal)
    try {
      const resumedBytes = partial.size
      const show = progressReporter(partial, onProgress)
      await tryPatiently({
        attempt: () => receive(partial, options, show),
        receivedBytes: () => partial.size,
        host: remote.url.host,
        patience,
        signal,
      })
      const checked = await check(partial, options)
      await partial.complete()
      return { ...checked, resumedBytes }
    } finally {
      await partial.dispose()
    }
  } catch (error) {
    throw signal.aborted
      ? new AppError(
          'cancelled',
          'The download was cancelled. What has arrived is kept: start it again to go on.',
        )
      : error
  }
}

/** One attempt: asks for what is missing and writes it. */
async function receive(partial: PartialFile, options: DownloadOptions, show: () => void): Promise<void> {
  const { remote, sha256: given } = options
  const ifStill = partial.size > 0 ? (partial.identity?.validator ?? undefined) : undefined
  const answer = await openRemoteFile(
    { ...options, stallTimeoutMs: options.patience.stallTimeoutMs },
    ifStill === undefined ? undefined : { start: partial.size, ifStill },
  )
  try {
    if (given !== undefined && answer.sha256 !== null && given !== answer.sha256) {
      const message = `${remote.url.host} announces a file with the sha256 ${answer.sha256}, not ${given}. Check both.`
      throw new AppError('mismatch', message, { announced: answer.sha256, given })
    }
    const { validator, totalBytes, sha256 } = answer
    if (ifStill === undefined || !continues(answer, partial)) {
      await partial.restart({ url: remote.url.href, validator, totalBytes, sha256 })
      if (answer.start > 0 || answer.type === 'nothing-there')
        throw new ConnectionBroken('the file has changed, its beginning is needed again')
    }
    if (answer.type === 'bytes') {
      await requireDiskSpace(partial, options.target)
      for await (const chunk of answer.body) {
        await write(partial, chunk)
        show()
      }
    }
    // fetch may take a body that broke off before its first byte for an empty one.
    if (partial.size < (totalBytes ?? 1))
      throw new ConnectionBroken(`it ended after ${partial.size} of ${totalBytes ?? 'unknown'} bytes`)
    await requireGguf(partial)
    show()
  } finally {
    answer.dispose()
  }
}

/** Whether the answer is the rest of the very file that the partial one is the beginning of. */
function continues(answer: RemoteAnswer, { identity, size }: PartialFile): boolean {
  if (answer.totalBytes !== identity?.totalBytes || answer.sha256 !== identity.sha256) return false
  return answer.type === 'nothing-there'
    ? answer.totalBytes === size
    : answer.start === size && answer.validator === identity.validator
}

async function requireDiskSpace({ identity, size }: PartialFile, target: string): Promise<void> {
  const missingBytes = (identity?.totalBytes ?? size) - size
  const freeBytes = await freeDiskBytes(dirname(target))
  if (missingBytes <= freeBytes) return
  const [missing, free] = [missingBytes, freeBytes].map((bytes) => `${(bytes / 1e9).toFixed(2)} GB`)
  const message = `The download needs ${missing} more, but ${dirname(target)} has ${free} free. Free some disk space and start it again to go on.`
  throw new AppError('disk_full', message, { missingBytes, freeBytes })
}

/** Bytes that a user may still write to the disk of an existing folder. */
export async function freeDiskBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

async function write(partial: PartialFile, chunk: Uint8Array): Promise<void> {
  const { totalBytes = null } = partial.identity ?? {}
  if (totalBytes !== null && partial.size + chunk.length > totalBytes) {
    await partial.discard()
    const message = `The server sends more than the ${totalBytes} bytes of the file. Try again later, or another source.`
    throw new AppError('corrupt_file', message)
  }
  try {
    await partial.append(chunk)
  } catch (error) {
    if (toWireError(error).code !== 'disk_full') throw error
    const message = 'The disk is full. What has arrived is kept: free some space and start it again to go on.'
    throw new AppError('disk_full', message, { receivedBytes: partial.size }, { cause: error })
  }
  if (partial.head.length >= 64) await requireGguf(partial)
}

/** Refuses what is something else, a login page for example, as soon as it begins. */
async function requireGguf(partial: PartialFile): Promise<void> {
  const { head } = partial
  if (Buffer.from(head).toString('latin1').startsWith('GGUF')) return
  await partial.discard()
  throw new AppError('corrupt_file', describeForeignFile(head, partial.identity?.totalBytes ?? head.length))
}

// ------------------------------------------------------------------------------------------- once all is there

async function check(
  partial: PartialFile,
  { sha256: given }: DownloadOptions,
): Promise<Omit<Download, 'resumedBytes'>> {
  const sha256 = partial.sha256()
  const announced = partial.identity?.sha256 ?? null
  const expected = given ?? announced
  if (expected !== null && sha256 !== expected) {
    await partial.discard()
    const message = `The downloaded file has the sha256 ${sha256} instead of ${expected}, so it was removed. Download it again, or from another source.`
    throw new AppError('corrupt_file', message, { sha256, expected })
  }
  try {
    const header = readHeader(partial.path)
    requireModel(header)
    const verifiedAgainst = given !== undefined ? 'given' : announced !== null ? 'announced' : null
    return { header, sha256, verifiedAgainst }
  } catch (error) {
    if (error instanceof AppError) await partial.discard()
    throw error
  }
}

function readHeader(path: string): GgufFile {
  const source = openFileSource(fs, path)
  try {
    return readGguf(source)
  } finally {
    source.dispose()
  }
}

function progressReporter(partial: PartialFile, onProgress: DownloadOptions['onProgress']): () => void {
  const startedMs = performance.now()
  const startBytes = partial.size
  let reportedMs = -Infinity
  return () => {
    const nowMs = performance.now()
    const { size: receivedBytes, identity } = partial
    const totalBytes = identity?.totalBytes ?? null
    if (nowMs - reportedMs < progressIntervalMs && receivedBytes !== totalBytes) return
    reportedMs = nowMs
    const seconds = Math.max(nowMs - startedMs, 1) / 1000
    onProgress({
      receivedBytes,
      totalBytes,
      bytesPerSecond: Math.max(0, receivedBytes - startBytes) / seconds,
    })
  }
}
