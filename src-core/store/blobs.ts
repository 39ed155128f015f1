/** The files of a store, named by the SHA-256 of their bytes: `blobs/ab/cdef…`. A file is whole or absent. */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync } from 'node:fs'
import { statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { partialPath, syncFile, syncFolder } from './durable-files.ts'

export const blobsFolder = (store: string): string => join(store, 'blobs')

/** Throws `invalid_input` for what is no SHA-256. */
export function blobPath(store: string, sha256: string): string {
  if (/^[0-9a-f]{64}$/.test(sha256)) return join(blobsFolder(store), sha256.slice(0, 2), sha256.slice(2))
  throw new AppError('invalid_input', `"${sha256}" is not the SHA-256 of a file. Pass 64 hexadecimal digits.`)
}

/** Copies bytes, or the file at a path, into the store. Returns their SHA-256. */
export function putBlob(store: string, source: Uint8Array | string): string {
  const temporary = partialPath(blobsFolder(store))
  try {
    const sha256 = writeNew(temporary, typeof source === 'string' ? piecesOf(source) : [source])
    place(store, temporary, sha256)
    return sha256
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Moves a finished file into the store. Returns its SHA-256. */
export function adoptBlob(store: string, path: string): string {
  const sha256 = hashBlob(path)
  syncFile(path)
  try {
    place(store, path, sha256)
    return sha256
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EXDEV') throw error // sound: only asked whether it is there
  }
  putBlob(store, path) // from another disk: a copy
  rmSync(path)
  return sha256
}

/** The SHA-256 of a file, lower-case hex. */
export function hashBlob(path: string): string {
  const hash = createHash('sha256')
  for (const piece of piecesOf(path)) hash.update(piece)
  return hash.digest('hex')
}

/** A blob that is there stays, unless it lost bytes. */
function place(store: string, from: string, sha256: string): void {
  const path = blobPath(store, sha256)
  const folder = dirname(path)
  const isNewFolder = mkdirSync(folder, { recursive: true }) !== undefined
  if (existsSync(path) && statSync(path).size === statSync(from).size) return rmSync(from)
  renameSync(from, path)
  syncFolder(folder)
  if (isNewFolder) syncFolder(blobsFolder(store))
}

function writeNew(path: string, pieces: Iterable<Uint8Array>): string {
  const hash = createHash('sha256')
  const fd = openSync(path, 'wx')
  try {
    for (const piece of pieces) {
      hash.update(piece)
      for (let done = 0; done < piece.length;) done += writeSync(fd, piece, done)
    }
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  return hash.digest('hex')
}

/** One buffer, filled again and again. */
function* piecesOf(path: string): Generator<Uint8Array> {
  const buffer = new Uint8Array(1 << 20)
  const fd = openSync(path, 'r')
  try {
    for (let read; (read = readSync(fd, buffer)) > 0;) yield buffer.subarray(0, read)
  } finally {
    closeSync(fd)
  }
}
