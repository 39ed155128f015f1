/** Writing and opening GGUF files on disk: all of a file or nothing of it, whatever goes wrong. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs, { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { writeGgufFile, type FileWriting, type GgufContents } from '../../src-compute/gguf-file.ts'
import { AppError, toWireError, type WireError } from '../../src-shared/errors.ts'
import { text } from '../../src-shared/gguf/metadata.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
let folders = 0
const emptyFolder = (): string => {
  const path = join(folder, String(folders++))
  mkdirSync(path)
  return path
}

const contents: GgufContents = {
  metadata: [['general.name', text('test')]],
  tensors: [
    { name: 'whole', type: 'F32', shape: [3], data: new Uint8Array(12).fill(1) },
    {
      name: 'in pieces',
      type: 'F16',
      shape: [8],
      data: () => [new Uint8Array(1).fill(2), new Uint8Array(0), new Uint8Array(15).fill(3)],
    },
  ],
}

function failure(action: () => unknown): WireError {
  try {
    action()
  } catch (error) {
    return toWireError(error)
  }
  throw new Error('it did not fail')
}

test('a written file has the hash and size that were reported, and the weights in their place', () => {
  const path = join(emptyFolder(), 'a.gguf')
  const written = writeGgufFile(path, contents)
  const bytes = readFileSync(path)
  expect(written).toEqual({ sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length })
  const weights = readGgufFile(path).tensors.map(({ offset, bytes: size }) => [
    ...bytes.subarray(offset, offset + size),
  ])
  expect(weights).toEqual([Array(12).fill(1), [2, ...Array<number>(15).fill(3)]])
})

test('a file of that name is replaced, and nothing else is left in the folder', () => {
  const path = join(emptyFolder(), 'a.gguf')
  writeFileSync(path, 'old')
  writeGgufFile(path, contents)
  expect(readGgufFile(path).metadata.get('general.name')).toEqual(text('test'))
  expect(readdirSync(join(path, '..'))).toEqual(['a.gguf'])
})

/** node:fs, except that the call with this number fails; `calls` counts them. */
function failingAt(number: number, code: string): { files: FileWriting; calls: () => number } {
  let calls = 0
  const fail = <Call extends (...values: never[]) => unknown>(call: Call): Call =>
    // Sound: the wrapper hands on what it is given and returns what it gets.
    ((...values: Parameters<Call>) => {
      if (++calls === number) throw Object.assign(new Error(`${code}: injected`), { code })
      return call(...values)
    }) as Call
  const { openSync, writeSync, fsyncSync, closeSync, renameSync, rmSync } = fs
  const files: FileWriting = {
    openSync: fail(openSync),
    writeSync: fail(writeSync),
    fsyncSync: fail(fsyncSync),
    closeSync,
    renameSync: fail(renameSync),
    rmSync,
  }
  return { files, calls: () => calls }
}

test.each([
  ['ENOSPC', 'disk_full'],
  ['EDQUOT', 'disk_full'],
  ['EIO', 'internal'],
  ['EACCES', 'invalid_input'],
])('%s at any call is reported and leaves the old file or the whole new one', (code, expected) => {
  const counted = failingAt(0, code)
  writeGgufFile(join(emptyFolder(), 'a.gguf'), contents, counted.files)
  const { bytes } = writeGgufFile(join(emptyFolder(), 'a.gguf'), contents)
  expect(counted.calls()).toBeGreaterThan(6)
  for (let number = 1; number <= counted.calls(); number++) {
    const path = join(emptyFolder(), 'a.gguf')
    writeFileSync(path, 'old')
    expect(failure(() => writeGgufFile(path, contents, failingAt(number, code).files)).code).toBe(expected)
    expect(readdirSync(join(path, '..'))).toEqual(['a.gguf'])
    expect([3, bytes]).toContain(readFileSync(path).length)
  }
})

test('a full disk is explained', () => {
  const path = join(emptyFolder(), 'a.gguf')
  const error = failure(() => writeGgufFile(path, contents, failingAt(2, 'ENOSPC').files))
  expect(error.message).toMatch(/no room for .*a\.gguf.*Free some disk space.*nothing was replaced/)
})

test('weights of a wrong size, or that cannot be made, leave no file', () => {
  const path = join(emptyFolder(), 'a.gguf')
  const tensor = { name: 't', type: 'F32', shape: [4] } as const
  const writing = (data: () => Iterable<Uint8Array>) => () =>
    writeGgufFile(path, { metadata: [], tensors: [{ ...tensor, data }] })
  expect(failure(writing(() => [new Uint8Array(15)])).message).toMatch(/"t" is 15 bytes instead of 16/)
  const cancelled = new AppError('cancelled', 'Stopped.')
  const stopping = writing(() => {
    throw cancelled
  })
  expect(stopping).toThrow(cancelled)
  expect(readdirSync(join(path, '..'))).toEqual([])
})

test('a process killed while it writes leaves nothing under the final name', () => {
  const path = join(emptyFolder(), 'a.gguf')
  const script = `
    import { writeGgufFile } from ${JSON.stringify(join(import.meta.dirname, '../../src-compute/gguf-file.ts'))}
    function* data() {
      yield new Uint8Array(1 << 20)
      process.kill(process.pid, 'SIGKILL')
      yield new Uint8Array(1 << 20)
    }
    writeGgufFile(${JSON.stringify(path)}, { metadata: [], tensors: [{ name: 't', type: 'F32', shape: [1 << 19], data }] })
  `
  const { signal, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', script])
  expect(signal ?? status).not.toBe(0)
  expect(readdirSync(join(path, '..')).filter((name) => !name.endsWith('.partial'))).toEqual([])
  expect(readdirSync(join(path, '..'))).toHaveLength(1)
})

test('a folder, a missing file and a broken file are refused by name', () => {
  const broken = join(emptyFolder(), 'broken.gguf')
  writeFileSync(broken, 'GGUF\u0003')
  expect(failure(() => readGgufFile(folder))).toMatchObject({ code: 'invalid_input', data: { path: folder } })
  expect(failure(() => readGgufFile(join(folder, 'absent.gguf'))).code).toBe('not_found')
  const error = failure(() => readGgufFile(broken))
  expect(error).toMatchObject({ code: 'corrupt_file', data: { path: broken } })
  expect(error.message).toContain(broken)
})

test('reading many broken files leaves none of them open', () => {
  const broken = join(emptyFolder(), 'broken.gguf')
  writeFileSync(broken, 'GGUF\u0003')
  const lowest = (): number => {
    const fd = fs.openSync(broken, 'r')
    fs.closeSync(fd)
    return fd
  }
  const before = lowest()
  for (let time = 0; time < 50; time++) failure(() => readGgufFile(broken))
  expect(lowest()).toBe(before)
})
