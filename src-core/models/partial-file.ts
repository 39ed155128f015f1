/**
 * A file on its way: what has arrived lies beside the target as `.NAME.partial`, with a note of which file it is a part
 * of, so that another process can go on with it after any kind of end. One process at a time may hold it.
 */
import { createHash, type Hash } from 'node:crypto'
import { constants, createReadStream, statSync } from 'node:fs'
import { mkdir, open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { renameDurably, writeDurably } from './durable-file.ts'

/** Which file the bytes are from; if any of it differs, they are of no use. */
export type FileIdentity = {
  readonly url: string
  readonly validator: string | null // null: the server cannot say whether the file has changed
  readonly totalBytes: number | null
  readonly sha256: string | null
}

const headBytes = 64

/** Bytes that an earlier attempt has left for this target. */
export function partialBytes(target: string): number {
  return statSync(pathsOf(target).partial, { throwIfNoEntry: false })?.size ?? 0
}

function pathsOf(target: string) {
  const partial = join(dirname(target), `.${basename(target)}.partial`)
  return { partial, note: `${partial}.json`, lock: `${partial}.lock` }
}

export class PartialFile {
  readonly #target: string
  readonly #paths: ReturnType<typeof pathsOf>
  #handle: FileHandle
  #identity: FileIdentity | null = null
  #size = 0
  #hash: Hash = createHash('sha256')
  #head: Uint8Array = new Uint8Array(0)

  private constructor(target: string, handle: FileHandle) {
    this.#target = target
    this.#paths = pathsOf(target)
    this.#handle = handle
  }

  /**
   * Opens what an earlier attempt has left of `url`, reading it again for its hash, or starts with nothing.
   * Throws `conflict` if another process holds it, the signal's reason, or what the system says.
   */
  static async open(target: string, url: string, signal: AbortSignal): Promise<PartialFile> {
    await mkdir(dirname(target), { recursive: true })
    const { partial, lock } = pathsOf(target)
    await takeLock(lock, target)
    try {
      const file = new PartialFile(target, await open(partial, constants.O_RDWR | constants.O_CREAT))
      try {
        await file.#goOn(url, signal)
        return file
      } catch (error) {
        await file.#handle.close()
        throw error
      }
    } catch (error) {
      await rm(lock, { force: true })
      throw error
    }
  }

  get path(): string {
    return this.#paths.partial
  }
  get size(): number {
    return this.#size
  }
  /** Null as long as nothing is known, and then `size` is 0. */
  get identity(): FileIdentity | null {
    return this.#identity
  }
  /** The first 64 bytes, or what there is of them. */
  get head(): Uint8Array {
    return this.#head
  }

  /** Forgets the bytes; what follows is of this file. */
  async restart(identity: FileIdentity): Promise<void> {
    await this.#handle.truncate(0)
    this.#forget()
    await writeDurably(this.#paths.note, JSON.stringify(identity))
    this.#identity = identity
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, this.#size + done)
      done += bytesWritten
    }
    this.#observe(bytes)
  }

  /** SHA-256 of all the bytes in lower-case hex. */
  sha256(): string {
    return this.#hash.copy().digest('hex')
  }

  /** Gives the file its name once it is on the disk. Throws `conflict` if the name has been taken meanwhile. */
  async complete(): Promise<void> {
    await this.#handle.sync()
    await this.#handle.close()
    if (statSync(this.#target, { throwIfNoEntry: false }) !== undefined)
      throw new AppError('conflict', `${this.#target} has appeared meanwhile. Choose another --name.`)
    await renameDurably(this.path, this.#target)
    await rm(this.#paths.note, { force: true })
  }

  /** Removes the bytes: they are of no use to anyone. */
  async discard(): Promise<void> {
    await this.#handle.close()
    await rm(this.path, { force: true })
    await rm(this.#paths.note, { force: true })
  }

  /** Lets others have the file. What has arrived stays. */
  async dispose(): Promise<void> {
    await this.#handle.close() // does nothing a second time
    await rm(this.#paths.lock, { force: true })
  }

  async #goOn(url: string, signal: AbortSignal): Promise<void> {
    const identity = await readNote(this.#paths.note)
    if (identity?.url !== url || identity.validator === null) return this.#handle.truncate(0)
    for await (const chunk of createReadStream(this.path, { highWaterMark: 1 << 20, signal })) {
      this.#observe(chunk as Uint8Array) // sound: a stream without an encoding gives bytes
    }
    this.#identity = identity
  }

  #observe(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#size += bytes.length
    if (this.#head.length < headBytes)
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, headBytes - this.#head.length)])
  }

  #forget(): void {
    this.#identity = null
    this.#size = 0
    this.#hash = createHash('sha256')
    this.#head = new Uint8Array(0)
  }
}

/** Null if there is none. A note that Selkie cannot have written is as good as none: the download starts anew. */
async function readNote(path: string): Promise<FileIdentity | null> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as { code?: unknown } | null)?.code === 'ENOENT') return '' // sound: only asked whether it is there
    throw error
  })
  try {
    const note = JSON.parse(text) as Partial<Record<keyof FileIdentity, unknown>> | null // sound: all is checked
    const { url, validator, totalBytes, sha256 } = note ?? {}
    const isText = (value: unknown): value is string | null => value === null || typeof value === 'string'
    const isCount = (value: unknown): value is number | null => value === null || Number.isSafeInteger(value)
    if (typeof url !== 'string' || !isText(validator) || !isCount(totalBytes) || !isText(sha256)) return null
    return { url, validator, totalBytes, sha256 }
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** The lock names the process that holds it; one that has died holds nothing. */
async function takeLock(lock: string, target: string): Promise<void> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' })
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'EEXIST') throw error // sound: only asked whether it is there
    const owner = Number(await readFile(lock, 'utf8'))
    if (isAlive(owner)) {
      const message = `Process ${owner} is downloading ${basename(target)}. Wait for it, or delete ${lock} if that process is not Selkie.`
      throw new AppError('conflict', message, { owner, lock })
    }
    await rm(lock, { force: true })
    await takeLock(lock, target)
  }
}

export function isAlive(processId: number): boolean {
  if (!Number.isInteger(processId) || processId <= 0) return false
  try {
    process.kill(processId, 0)
    return true
  } catch (error) {
    return (error as { code?: unknown } | null)?.code === 'EPERM' // somebody else's; sound: only asked whether it is there
  }
}
