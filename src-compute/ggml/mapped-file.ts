/**
 * A file mapped read-only into memory through the operating system: pages are read when touched and shared with every
 * other process that maps the same file.
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import koffi from 'koffi'
import { AppError } from '../../src-shared/errors.ts'
import type { Pointer } from './declarations.ts'

export type MappedFile = {
  readonly bytes: number
  /** @internal */ readonly address: Pointer
  dispose(): void
}

/** Maps a whole file. Throws the operating system's error (ENOENT, EACCES), `out_of_memory` if it cannot be mapped. */
export function mapFile(path: string): MappedFile {
  return process.platform === 'win32' ? mapOnWindows(path) : mapOnUnix(path)
}

const failed = (path: string): AppError =>
  new AppError(
    'out_of_memory',
    `${path} could not be mapped into memory. Close other programs or use a smaller model.`,
    { path },
  )

function mapOnUnix(path: string): MappedFile {
  const libc = koffi.load(process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6')
  const mmap = libc.func(
    'intptr_t mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
  )
  const munmap = libc.func('int munmap(intptr_t address, size_t length)')
  const readable = 1
  const shared = 1
  const fd = openSync(path, 'r')
  try {
    const bytes = fstatSync(fd).size
    const address = BigInt(mmap(null, bytes, readable, shared, fd, 0) as number | bigint)
    if (address === -1n) throw failed(path)
    return { bytes, address, dispose: once(() => void munmap(address, bytes)) }
  } finally {
    closeSync(fd) // the mapping keeps the file alive
  }
}

function mapOnWindows(path: string): MappedFile {
  const kernel = koffi.load('kernel32.dll')
  const createFile = kernel.func(
    'intptr_t CreateFileW(str16 name, uint32_t access, uint32_t share, void *security, uint32_t disposition, uint32_t flags, void *template)',
  )
  const createMapping = kernel.func(
    'intptr_t CreateFileMappingW(intptr_t file, void *security, uint32_t protection, uint32_t sizeHigh, uint32_t sizeLow, void *name)',
  )
  const mapView = kernel.func(
    'intptr_t MapViewOfFile(intptr_t mapping, uint32_t access, uint32_t offsetHigh, uint32_t offsetLow, size_t bytes)',
  )
  const unmapView = kernel.func('bool UnmapViewOfFile(intptr_t address)')
  const close = kernel.func('bool CloseHandle(intptr_t handle)')
  const [genericRead, shareRead, openExisting, pageReadOnly, fileMapRead] = [0x80000000, 1, 3, 2, 4]

  const fd = openSync(path, 'r')
  const bytes = fstatSync(fd).size
  closeSync(fd)
  const file = createFile(path, genericRead, shareRead, null, openExisting, 0, null) as number | bigint
  if (BigInt(file) === -1n) throw failed(path)
  const mapping = createMapping(file, null, pageReadOnly, 0, 0, null) as number | bigint
  close(file)
  if (BigInt(mapping) === 0n) throw failed(path)
  const address = BigInt(mapView(mapping, fileMapRead, 0, 0, 0) as number | bigint)
  close(mapping)
  if (address === 0n) throw failed(path)
  return { bytes, address, dispose: once(() => void unmapView(address)) }
}

function once(action: () => void): () => void {
  let done = false
  return () => {
    if (!done) action()
    done = true
  }
}
