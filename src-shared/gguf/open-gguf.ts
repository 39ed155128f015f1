/**
 * Opens a GGUF file by path with the file functions it is given, so that it belongs to no runtime: the hosts and the
 * compute processes pass node:fs. Keeps the file open until disposed.
 */
import { AppError } from '../errors.ts'
import { readGguf } from './reader.ts'
import type { ByteSource, GgufFile } from './types.ts'

/** The part of node:fs that is used. */
export type FileReading = {
  statSync(path: string): { isFile(): boolean }
  openSync(path: string, flags: 'r'): number
  fstatSync(fd: number): { readonly size: number }
  readSync(fd: number, into: Uint8Array, offset: number, length: number, position: number): number
  closeSync(fd: number): void
}

export type FileSource = ByteSource & {
  /** Fills `target` from `offset` on; throws `corrupt_file` if the file ends first. */
  readInto(target: Uint8Array, offset: number): void
  dispose(): void
}

export type OpenGguf = { readonly file: GgufFile; readonly source: FileSource; dispose(): void }

/** Opens a regular file for reading. Throws what the system says, or `invalid_input` for a folder or a device. */
export function openFileSource(fs: FileReading, path: string): FileSource {
  // Asked before opening, because opening a pipe would wait for its other end.
  if (!fs.statSync(path).isFile()) {
    throw new AppError('invalid_input', `${path} is not a file. Choose a GGUF file.`, { path })
  }
  const fd = fs.openSync(path, 'r')
  const readInto = (target: Uint8Array, offset: number): void => {
    for (let done = 0; done < target.length;) {
      const bytes = fs.readSync(fd, target, done, target.length - done, offset + done)
      if (bytes === 0)
        throw new AppError('corrupt_file', 'The file became shorter while it was read. Try again.')
      done += bytes
    }
  }
  return {
    size: fs.fstatSync(fd).size,
    readInto,
    read(offset, length) {
      const bytes = new Uint8Array(length)
      readInto(bytes, offset)
      return bytes
    },
    dispose: () => fs.closeSync(fd),
  }
}

/**
 * Opens a GGUF file and reads its header; `source` stays open for the weights until `dispose`.
 * Throws `corrupt_file` naming the path and the place, or what opening the file throws.
 */
export function openGguf(fs: FileReading, path: string): OpenGguf {
  const source = openFileSource(fs, path)
  try {
    return { file: naming(path, () => readGguf(source)), source, dispose: source.dispose }
  } catch (error) {
    source.dispose()
    throw error
  }
}

/** Runs `action`; an AppError that it throws gets the file's path in front of its message. */
export function naming<Result>(path: string, action: () => Result): Result {
  try {
    return action()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError(error.code, `${path}: ${error.message}`, { ...error.data, path }, { cause: error })
  }
}
