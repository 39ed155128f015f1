/** Downloads through a real server on this machine that breaks off, changes its mind, lies and asks for passwords. */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { downloadFile, type Download, type DownloadProgress } from '../../src-core/models/downloader.ts'
import { tryPatiently } from '../../src-core/models/patience.ts'
import { hubFrom, parseReference, type Hub } from '../../src-core/models/references.ts'
import { ConnectionBroken } from '../../src-core/models/remote-file.ts'
import { readRemoteHeader } from '../../src-core/models/remote-header.ts'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import { startFileServer } from '../fixtures/file-server.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const server = await startFileServer()
const elsewhere = await startFileServer()
const noHub = hubFrom({})
const patience = { stallTimeoutMs: 500, retryDelaysMs: [10, 10, 10] }
let model: Buffer
let other: Buffer
let sha256: string

beforeAll(() => {
  const path = join(folder, 'model.gguf')
  sha256 = makeRandomModel(path, { architecture: 'llama' }).sha256
  model = readFileSync(path)
  makeRandomModel(path, { architecture: 'llama', seed: 2 })
  other = readFileSync(path)
})

type Options = Partial<Parameters<typeof downloadFile>[0]>

/** Downloads into a folder of its own, or into the one that an earlier attempt has used. */
async function download(reference: string, options: Options = {}): Promise<Download> {
  const hub = options.hub ?? noHub
  return await downloadFile({
    remote: parseReference(reference, hub),
    hub,
    target: newTarget(),
    allowHttp: false,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    patience,
    ...options,
  })
}

const newTarget = (): string => join(mkdtempSync(join(folder, 'store-')), 'model.gguf')
const filesBeside = (target: string): string[] => readdirSync(join(target, '..')).sort()
const rangesOf = (path: string): (string | undefined)[] =>
  server.requests.filter((request) => request.path === path).map(({ headers }) => headers.range)
const cut = (afterBytes: number) => ({ ending: { afterBytes, how: 'cut' } as const })

// -------------------------------------------------------------------------------------------------- going on

test('a file arrives whole although the connection breaks three times', async () => {
  const url = server.serve(
    '/cut',
    { bytes: model, ...cut(1_000_000) },
    { bytes: model, ...cut(500_000) },
    { bytes: model, ...cut(300_000) },
    { bytes: model },
  )
  const target = newTarget()
  const seen: DownloadProgress[] = []
  const done = await download(url, { target, onProgress: (progress) => seen.push(progress) })
  expect(done).toMatchObject({ sha256, verifiedAgainst: null, resumedBytes: 0 })
  // What fetch still holds when the connection breaks is lost.
  const starts = rangesOf('/cut').map((range) => Number(/\d+/.exec(range ?? '0')?.[0]))
  const sent = [0, 1_000_000, 500_000, 300_000]
  const brought = starts.map((start, index) => start - (starts[index - 1] ?? 0))
  expect(brought.map((bytes, index) => bytes >= 0 && bytes <= sent[index]!)).toEqual(sent.map(() => true))
  expect(starts.at(-1)).toBeGreaterThan(0)
  expect(readFileSync(target).equals(model)).toBe(true)
  expect(filesBeside(target)).toEqual(['model.gguf'])
  expect(seen.at(-1)).toMatchObject({ receivedBytes: model.length, totalBytes: model.length })
  expect(seen.every(({ bytesPerSecond }) => bytesPerSecond >= 0)).toBe(true)
})

test('a connection that breaks before the first byte is tried again', async () => {
  const nothing = { bytes: model, ...cut(0) }
  expect(await download(server.serve('/nothing', nothing, nothing, { bytes: model }))).toMatchObject({
    sha256,
  })
})

test('a server that ignores ranges sends the file again from the start', async () => {
  const url = server.serve(
    '/no-ranges',
    { bytes: model, ranges: false, ...cut(700_000) },
    { bytes: model, ranges: false },
  )
  const target = newTarget()
  await download(url, { target })
  expect(readFileSync(target).equals(model)).toBe(true)
})

test.each([
  ['the server notices it', true],
  ['the server answers the range all the same', false],
])('a file that changed between two attempts is downloaded anew (%s)', async (_how, ifRange) => {
  const path = `/changed-${ifRange}`
  const changed = { bytes: other, etag: '"2"', ifRange }
  const url = server.serve(path, { bytes: model, ...cut(600_000) }, changed)
  const target = newTarget()
  await download(url, { target })
  expect(readFileSync(target).equals(other)).toBe(true)
  expect(server.requests.filter((request) => request.path === path)[1]?.headers['if-range']).toBe('"1"')
})

test('without any version of the file nothing is put together from two attempts', async () => {
  const url = server.serve(
    '/no-etag',
    { bytes: model, etag: '', ...cut(600_000) },
    { bytes: other, etag: '' },
  )
  const target = newTarget()
  await download(url, { target })
  expect(rangesOf('/no-etag')).toEqual([undefined, undefined])
  expect(readFileSync(target).equals(other)).toBe(true)
})

test('it gives up when attempts bring nothing, keeps what has arrived, and goes on another time', async () => {
  const silent = { bytes: model, ending: { afterBytes: 0, how: 'silence' } as const }
  const url = server.serve('/later', { bytes: model, ...cut(900_000) }, silent)
  const target = newTarget()
  await expect(download(url, { target })).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringMatching(/nothing arrived for 0\.5 seconds.* MB that have arrived are kept/),
  })
  expect(filesBeside(target)).toEqual(['.model.gguf.partial', '.model.gguf.partial.json'])
  server.serve('/later', { bytes: model })
  const resumedBytes = statSync(join(target, '..', '.model.gguf.partial')).size
  expect(resumedBytes).toBeGreaterThan(0)
  expect(await download(url, { target })).toMatchObject({ sha256, resumedBytes })
  expect(rangesOf('/later').at(-1)).toBe(`bytes=${resumedBytes}-`)
})

test('the partial file of another link is not used', async () => {
  const target = newTarget()
  const first = server.serve('/first', { bytes: model, ...cut(900_000) }, { status: 404 })
  await expect(download(first, { target })).rejects.toMatchObject({ code: 'not_found' })
  const second = server.serve('/second', { bytes: other })
  expect(await download(second, { target })).toMatchObject({ resumedBytes: 0 })
  expect(readFileSync(target).equals(other)).toBe(true)
})

test('a partial file that already has every byte is asked about, not downloaded', async () => {
  const target = newTarget()
  const url = server.serve('/complete', { bytes: model, ...cut(model.length - 1) }, { status: 404 })
  await expect(download(url, { target })).rejects.toMatchObject({ code: 'not_found' })
  writeFileSync(join(target, '..', '.model.gguf.partial'), model)
  server.serve('/complete', { bytes: model })
  expect(await download(url, { target })).toMatchObject({ sha256, resumedBytes: model.length })
  expect(readFileSync(target).equals(model)).toBe(true)
})

test('only attempts in a row that bring nothing count', async () => {
  let attempts = 0
  let bytes = 0
  const attempt = async () => {
    if (++attempts % 2 === 1) bytes++
    if (attempts < 9) throw new ConnectionBroken('cut')
  }
  const { signal } = new AbortController()
  const patient = { stallTimeoutMs: 1, retryDelaysMs: [1, 1] }
  await tryPatiently({ attempt, receivedBytes: () => bytes, host: 'example.org', patience: patient, signal })
  expect(attempts).toBe(9)
})

test('a server error is tried again', async () => {
  const url = server.serve('/busy', { status: 503 }, { status: 429 }, { status: 500 }, { bytes: model })
  expect(await download(url)).toMatchObject({ sha256 })
})

test('a server that never recovers, or is not there, ends in an error that names it', async () => {
  const url = server.serve('/down', { status: 500 })
  await expect(download(url)).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringMatching(/^4 attempts in a row .*status 500/),
  })
  await expect(download('http://127.0.0.1:9/x.gguf')).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining('127.0.0.1:9'),
  })
})

test('cancelling keeps what has arrived', async () => {
  const target = newTarget()
  const url = server.serve('/cancel', { bytes: model, ending: { afterBytes: 800_000, how: 'silence' } })
  const controller = new AbortController()
  const onProgress = ({ receivedBytes }: DownloadProgress) => receivedBytes > 0 && controller.abort()
  await expect(download(url, { target, signal: controller.signal, onProgress })).rejects.toMatchObject({
    code: 'cancelled',
  })
  const partial = join(target, '..', '.model.gguf.partial')
  expect(statSync(partial).size).toBeGreaterThan(0)
  expect(existsSync(`${partial}.lock`)).toBe(false)
  server.serve('/cancel', { bytes: model })
  const resumedBytes = statSync(partial).size
  expect(await download(url, { target })).toMatchObject({ sha256, resumedBytes })
})

test('two downloads of one target do not write into each other', async () => {
  const target = newTarget()
  const url = server.serve(
    '/twice',
    { bytes: model, ending: { afterBytes: 1000, how: 'silence' } },
    { bytes: model },
  )
  const first = download(url, { target })
  await expect.poll(() => existsSync(join(target, '..', '.model.gguf.partial.lock'))).toBe(true)
  await expect(download(url, { target })).rejects.toMatchObject({
    code: 'conflict',
    data: { owner: process.pid },
  })
  expect(await first).toMatchObject({ sha256 })
})

// ------------------------------------------------------------------------------------------------- what is kept

test('the file must have the given checksum; one that has not is removed', async () => {
  const url = server.serve('/sum', { bytes: model })
  const target = newTarget()
  const wrong = 'a'.repeat(64)
  await expect(download(url, { target, sha256: wrong })).rejects.toMatchObject({
    code: 'corrupt_file',
    data: { sha256, expected: wrong },
  })
  expect(filesBeside(target)).toEqual([])
  expect(await download(url, { target, sha256 })).toMatchObject({ verifiedAgainst: 'given' })
})

test('the checksum that the hub announces beside its redirect is held against the file', async () => {
  const hub: Hub = { endpoint: new URL(server.origin), token: null }
  // Only the host that was asked is believed.
  const to = elsewhere.serve('/blob', { bytes: model, headers: { 'x-linked-etag': `"${'c'.repeat(64)}"` } })
  const announce = (hash: string, size = model.length) => ({
    status: 302,
    headers: { location: to, 'x-linked-etag': `"${hash}"`, 'x-linked-size': String(size) },
  })
  const path = '/some/repo/resolve/main/sub%20folder/model.gguf'
  const reference = 'hf:some/repo/sub folder/model.gguf'
  server.serve(path, announce(sha256))
  expect(await download(reference, { hub })).toMatchObject({ verifiedAgainst: 'announced', sha256 })

  server.serve(path, announce('b'.repeat(64)))
  await expect(download(reference, { hub })).rejects.toMatchObject({ code: 'corrupt_file' })
  await expect(download(reference, { hub, sha256 })).rejects.toMatchObject({ code: 'mismatch' })

  server.serve(path, announce(sha256, model.length + 1))
  await expect(download(reference, { hub })).rejects.toMatchObject({
    code: 'corrupt_file',
    data: { announcedBytes: model.length + 1, sentBytes: model.length },
  })
})

test('a file that is shorter than its header says is refused and removed', async () => {
  const url = server.serve('/short', { bytes: model.subarray(0, model.length - 4) })
  const target = newTarget()
  await expect(download(url, { target })).rejects.toMatchObject({ code: 'corrupt_file' })
  expect(filesBeside(target)).toEqual([])
})

test('a file of unknown length is complete when its header says so', async () => {
  const seen: DownloadProgress[] = []
  const url = server.serve('/chunked', { bytes: model, chunked: true })
  await download(url, { onProgress: (progress) => seen.push(progress) })
  expect(seen.at(-1)).toMatchObject({ receivedBytes: expect.any(Number), totalBytes: null })
  const short = server.serve('/chunked-short', { bytes: model.subarray(0, 2_000_000), chunked: true })
  await expect(download(short)).rejects.toMatchObject({ code: 'corrupt_file' })
})

test('more bytes than were announced are refused and removed', async () => {
  const headers = { 'x-linked-size': '1000000' }
  const url = server.serve('/more', { bytes: model, chunked: true, headers })
  const target = newTarget()
  await expect(download(url, { target })).rejects.toMatchObject({
    code: 'corrupt_file',
    message: expect.stringContaining('more than the 1000000 bytes'),
  })
  expect(filesBeside(target)).toEqual([])
})

test('an adapter is no model, and is removed', async () => {
  const path = join(folder, 'adapter.gguf')
  const file = join(folder, 'whole-model.gguf')
  writeFileSync(file, model)
  const adapter = { loraRank: 2, loraAlpha: 2, targetModules: ['q'] } as const
  writeGgufFile(path, randomAdapter(readGgufFile(file), adapter))
  const url = server.serve('/adapter', { bytes: readFileSync(path) })
  const target = newTarget()
  await expect(download(url, { target })).rejects.toMatchObject({ code: 'invalid_input' })
  expect(filesBeside(target)).toEqual([])
})

test('fewer bytes than were announced are no file, but the beginning of one', async () => {
  const headers = { 'x-linked-size': String(model.length) }
  const begun = { bytes: model.subarray(0, 2_000_000), chunked: true, ranges: false, headers }
  const target = newTarget()
  await expect(download(server.serve('/fewer', begun), { target })).rejects.toMatchObject({
    code: 'internal',
  })
  expect(filesBeside(target)).toEqual(['.model.gguf.partial', '.model.gguf.partial.json'])
})

test('a page instead of the file is refused as what it is', async () => {
  const page = '<!DOCTYPE html><html><body>Please log in to download this model.</body></html>'
  const url = server.serve('/page', { bytes: Buffer.from(page) })
  const target = newTarget()
  await expect(download(url, { target })).rejects.toMatchObject({
    code: 'corrupt_file',
    message: expect.stringContaining('looks like a web page'),
  })
  expect(filesBeside(target)).toEqual([])
})

test('a name that is taken is refused before anything is asked', async () => {
  const target = newTarget()
  writeFileSync(target, 'mine')
  await expect(download(server.serve('/taken', { bytes: model }), { target })).rejects.toMatchObject({
    code: 'conflict',
  })
  expect(rangesOf('/taken')).toEqual([])
  expect(readFileSync(target, 'utf8')).toBe('mine')
})

test('a file larger than the free disk is refused before its bytes arrive', async () => {
  const petabytes = 4e15
  const url = server.serve('/huge', { bytes: model, headers: { 'content-length': String(petabytes) } })
  await expect(download(url)).rejects.toMatchObject({
    code: 'disk_full',
    data: { missingBytes: petabytes },
  })
})

// ---------------------------------------------------------------------------------------------- who is asked

test('the token goes to the hub, and not to where it redirects', async () => {
  const hub = hubFrom({ HF_ENDPOINT: server.origin, HF_TOKEN: ' hf_secret ' })
  const to = elsewhere.serve('/gated-blob', { bytes: model })
  server.serve('/some/gated/resolve/v1/model.gguf', { status: 302, headers: { location: to } })
  await download('hf:some/gated/model.gguf@v1', { hub })
  const sent = (requests: typeof server.requests) => requests.at(-1)?.headers.authorization
  expect([sent(server.requests), sent(elsewhere.requests)]).toEqual(['Bearer hf_secret', undefined])
  await download(elsewhere.serve('/link', { bytes: model }), { hub })
  expect(sent(elsewhere.requests)).toBe(undefined)
})

test.each([
  [401, null, 'invalid_input', /HF_TOKEN to an access token/],
  [403, 'hf_secret', 'invalid_input', /account of HF_TOKEN may not/],
  [404, null, 'not_found', /exact name and revision/],
])('status %i of the hub (token: %s) says what to do', async (status, token, code, message) => {
  const hub: Hub = { endpoint: new URL(server.origin), token }
  server.serve('/a/b/resolve/main/c.gguf', { status })
  const refused = download('hf:a/b/c.gguf', { hub })
  await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('hf_secret') })
})

test.each([
  [
    'plain http to another machine',
    'http://example.org/model.gguf',
    undefined,
    /^http:\/\/example.org is not/,
  ],
  ['a redirect to a file', undefined, 'file:///etc/passwd', /^file:\/\/ is not an encrypted/],
  ['a redirect into the network', undefined, 'http://169.254.169.254/x', /^http:\/\/169.254.169.254 is not/],
  ['a redirect with a password', undefined, 'https://me:secret@example.org/x', /redirects to nowhere/],
])('%s is refused', async (_what, reference, location = '', message) => {
  const url = reference ?? server.serve('/away', { status: 302, headers: { location } })
  await expect(download(url)).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringMatching(message),
  })
})

test('a redirect in circles ends', async () => {
  const url = server.serve('/circle', { status: 302, headers: { location: '/circle' } })
  await expect(download(url)).rejects.toMatchObject({ code: 'invalid_input' })
})

// ------------------------------------------------------------------------------------------------- the header

test('the header is read from afar with a few of the bytes', async () => {
  const access = (url: string) => ({
    remote: parseReference(url, noHub),
    hub: noHub,
    allowHttp: false,
    signal: new AbortController().signal,
    stallTimeoutMs: 500,
  })
  const path = join(folder, 'whole.gguf')
  writeFileSync(path, model)
  const expected = readGgufFile(path)
  const beginning = { ending: { afterBytes: 1 << 20, how: 'silence' } } as const // the rest never comes
  for (const plan of [{ ...beginning }, { ...beginning, ranges: false }]) {
    const { file, sha256: announced } = await readRemoteHeader(
      access(server.serve('/head', { bytes: model, ...plan })),
    )
    expect([file, announced]).toEqual([expected, null])
  }
  const small = join(folder, 'small.gguf')
  makeRandomModel(small, { architecture: 'qwen2', embeddingWidth: 32 })
  const { file } = await readRemoteHeader(access(server.serve('/small', { bytes: readFileSync(small) })))
  expect(file).toEqual(readGgufFile(small))
  const headers = { 'x-linked-size': String(model.length) }
  const begun = { bytes: model.subarray(0, 1000), chunked: true, ranges: false, headers }
  await expect(readRemoteHeader(access(server.serve('/begun', begun)))).rejects.toMatchObject({
    name: 'ConnectionBroken',
  })
  await expect(
    readRemoteHeader(access(server.serve('/zip', { bytes: Buffer.from('PK\x03\x04 and more') }))),
  ).rejects.toMatchObject({ code: 'corrupt_file', message: expect.stringContaining('zip archive') })
})

test('the fixture says what it serves', () => {
  expect(createHash('sha256').update(model).digest('hex')).toBe(sha256)
  expect(model.length).toBeGreaterThan(2 << 20)
})
