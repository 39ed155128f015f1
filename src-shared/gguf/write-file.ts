/**
 * Writes GGUF files with the file functions it is given, so that it belongs to no runtime: the hosts and the compute
 * processes pass node's. A file appears under its name only when it is complete and on the disk; before that it has a
 * temporary name beside it that ends in `.partial`.
 */
import { AppError } from '../errors.ts'
import { encodeGguf, type GgufPlan, type MetadataToWrite, type TensorToWrite } from './writer.ts'

/** The part of node:fs that is used. */
export type FileWriting = {
  openSync(path: string, flags: 'wx' | 'r'): number
  writeSync(fd: number, piece: Uint8Array, offset: number): number
  fsyncSync(fd: number): void
  closeSync(fd: number): void
  renameSync(from: string, to: string): void
  rmSync(path: string, options: { readonly force: true }): void
}

export type WritingTools = {
  readonly files: FileWriting
  readonly newHash: () => { update(piece: Uint8Array): unknown; digest(encoding: 'hex'): string } // SHA-256
  readonly folderOf: (path: string) => string
  /** A name in the same folder that nothing has, ending in `.partial`. */
  readonly temporaryBeside: (path: string) => string
  readonly syncsFolders: boolean // not on Windows
}

/** `data`: the tensor's bytes in its type, at once or in pieces of any length. */
export type TensorWithData = TensorToWrite & { readonly data: Uint8Array | (() => Iterable<Uint8Array>) }
export type GgufContents = {
  readonly metadata: MetadataToWrite
  readonly tensors: readonly TensorWithData[]
}
export type StreamedTensor = TensorToWrite & {
  readonly data: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}
export type StreamedContents = {
  readonly metadata: MetadataToWrite
  readonly tensors: readonly StreamedTensor[]
}
export type WrittenFile = { readonly sha256: string; readonly bytes: number }

/**
 * Writes a GGUF file, replacing one that is there, and returns the SHA-256 of its bytes (lower-case hex).
 * If anything fails, the temporary file is removed and `path` is as before, or complete if only the very last sync of
 * the folder failed. Throws `disk_full`, `invalid_input` (see encodeGguf), what a `data` function throws, or what the
 * system says.
 */
export function writeGguf(tools: WritingTools, path: string, contents: GgufContents): WrittenFile {
  const plan = encodeGguf(contents)
  const file = new NewFile(tools, path, plan.fileBytes)
  try {
    file.write(plan.header)
    for (const [index, { data }] of plan.tensors.entries()) {
      for (const piece of data instanceof Uint8Array ? [data] : data()) file.write(piece)
      file.pad(plan, index)
    }
    return file.finish()
  } catch (error) {
    throw file.abandon(error)
  }
}

/** The same for weights that are made while the file is written; other work goes on between their pieces. */
export async function streamGguf(
  tools: WritingTools,
  path: string,
  contents: StreamedContents,
): Promise<WrittenFile> {
  const plan = encodeGguf(contents)
  const file = new NewFile(tools, path, plan.fileBytes)
  try {
    file.write(plan.header)
    for (const [index, { data }] of plan.tensors.entries()) {
      for await (const piece of data()) file.write(piece)
      file.pad(plan, index)
    }
    return file.finish()
  } catch (error) {
    throw file.abandon(error)
  }
}

/** One file on its way to its name. */
class NewFile {
  readonly #tools: WritingTools
  readonly #path: string
  readonly #bytes: number
  readonly #temporary: string
  readonly #hash: ReturnType<WritingTools['newHash']>
  #fd: number | undefined
  #written = 0

  constructor(tools: WritingTools, path: string, bytes: number) {
    this.#tools = tools
    this.#path = path
    this.#bytes = bytes
    this.#temporary = tools.temporaryBeside(path)
    this.#hash = tools.newHash()
  }

  write(piece: Uint8Array): void {
    const { files } = this.#tools
    this.#fd ??= files.openSync(this.#temporary, 'wx')
    this.#hash.update(piece)
    for (let done = 0; done < piece.length;) done += files.writeSync(this.#fd, piece, done)
    this.#written += piece.length
  }

  /** Zero bytes after tensor `index`, whose data must be complete. */
  pad({ tensors, fileBytes }: GgufPlan, index: number): void {
    const { name, offset, bytes } = tensors[index]!
    if (this.#written !== offset + bytes) {
      const given = this.#written - offset
      throw new AppError('internal', `The data of tensor "${name}" is ${given} bytes instead of ${bytes}.`)
    }
    this.write(new Uint8Array((tensors[index + 1]?.offset ?? fileBytes) - offset - bytes))
  }

  finish(): WrittenFile {
    const { files, folderOf, syncsFolders } = this.#tools
    files.fsyncSync(this.#fd!)
    this.#close()
    files.renameSync(this.#temporary, this.#path)
    if (syncsFolders) syncFolder(files, folderOf(this.#path))
    return { sha256: this.#hash.digest('hex'), bytes: this.#bytes }
  }

  /** Removes what there is; returns the error to throw. */
  abandon(error: unknown): unknown {
    this.#close()
    this.#tools.files.rmSync(this.#temporary, { force: true })
    return diskFull(error, this.#path, this.#bytes) ?? error
  }

  #close(): void {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) this.#tools.files.closeSync(fd)
  }
}

/** Makes the rename itself durable, where folders can be synced: not on some network drives. */
function syncFolder(files: FileWriting, path: string): void {
  const fd = files.openSync(path, 'r')
  try {
    files.fsyncSync(fd)
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error
  } finally {
    files.closeSync(fd)
  }
}

function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code // sound: only asked whether it is there
  return typeof code === 'string' ? code : undefined
}

function diskFull(error: unknown, path: string, bytes: number): AppError | undefined {
  const code = systemCode(error)
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return undefined
  return new AppError(
    'disk_full',
    `There is no room for ${path} (${Math.ceil(bytes / 1e6)} MB). Free some disk space and try again; nothing was replaced.`,
    { path, bytes },
    { cause: error },
  )
}
