/** The catalogue over real folders: what it lists, what it refuses, and what it does with a damaged list. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { createModelCatalogue, type ModelCatalogue } from '../../src-core/models/catalogue.ts'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import { text } from '../../src-shared/gguf/metadata.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const bundledFolder = join(folder, 'resources')
const elsewhere = join(folder, 'elsewhere.gguf')

beforeAll(() => {
  mkdirSync(bundledFolder)
  makeRandomModel(join(bundledFolder, 'selkie-nano.gguf'), { architecture: 'llama', embeddingWidth: 32 })
  writeFileSync(join(bundledFolder, 'README.md'), 'no model')
  makeRandomModel(elsewhere, { architecture: 'qwen3', embeddingWidth: 64, type: 'Q8_0' })
})

function newCatalogue(): { catalogue: ModelCatalogue; storeFolder: string } {
  const storeFolder = join(mkdtempSync(join(folder, 'store-')), 'not-yet')
  return { catalogue: createModelCatalogue({ bundledFolder, storeFolder }), storeFolder }
}

test('a new store offers the bundled model, described, and is not made by looking', async () => {
  const { catalogue, storeFolder } = newCatalogue()
  const path = join(bundledFolder, 'selkie-nano.gguf')
  const verdict = { bytes: expect.any(Number), verdict: 'fits' }
  expect(await catalogue.list()).toEqual([
    {
      name: 'selkie-nano',
      path,
      source: 'bundled',
      status: 'usable',
      facts: {
        sizeBytes: readFileSync(path).length,
        architecture: 'llama',
        parameters: 2 * 32 * 512 + 2 * (32 * (32 + 16 + 16) + 32 * 32 + 3 * 32 * 512 + 2 * 32) + 32,
        quantization: 'F32',
        contextSize: 512,
        supported: { training: true },
        memory: { generating: verdict, training: verdict },
      },
    },
  ])
  expect(existsSync(storeFolder)).toBe(false)
})

test('downloaded and added models follow, and one that cannot be used says why', async () => {
  const { catalogue, storeFolder } = newCatalogue()
  mkdirSync(catalogue.downloadFolder, { recursive: true })
  const inStore = (name: string) => join(catalogue.downloadFolder, name)
  writeFileSync(inStore('broken.gguf'), '<html>')
  writeFileSync(inStore('.half.gguf.partial'), 'GGUF')
  writeFileSync(inStore('.half.gguf'), 'GGUF')
  writeGgufFile(
    inStore('adapter.gguf'),
    randomAdapter(readGgufFile(elsewhere), {
      loraRank: 4,
      loraAlpha: 4,
      targetModules: ['q'],
      extraMetadata: [],
    }),
  )
  await catalogue.add(elsewhere, 'mine')
  const gone = join(folder, 'gone.gguf')
  makeRandomModel(gone, { architecture: 'llama', embeddingWidth: 32 })
  await catalogue.add(gone)
  rmSync(gone)
  const models = await catalogue.list()
  expect(
    models.map((model) => [model.name, model.source, model.status === 'usable' || model.error.code]),
  ).toEqual([
    ['selkie-nano', 'bundled', true],
    ['adapter', 'store', 'invalid_input'],
    ['broken', 'store', 'corrupt_file'],
    ['mine', 'added', true],
    ['gone', 'added', 'not_found'],
  ])
  expect(JSON.parse(readFileSync(join(storeFolder, 'models.json'), 'utf8'))).toEqual({
    version: 1,
    models: [
      { name: 'mine', path: elsewhere },
      { name: 'gone', path: gone },
    ],
  })
})

test('a model that cannot be trained is listed with the reason', async () => {
  const { catalogue } = newCatalogue()
  const path = join(folder, 'gemma.gguf')
  const { metadata, tensors } = readGgufFile(elsewhere)
  const renamed = new Map([...metadata, ['general.architecture', text('gemma3')] as const])
  const empty = tensors.map(({ name, type, shape, bytes }) => ({
    name,
    type,
    shape,
    data: new Uint8Array(bytes),
  }))
  writeGgufFile(path, { metadata: [...renamed], tensors: empty })
  expect(await catalogue.add(path)).toMatchObject({
    name: 'gemma',
    facts: {
      architecture: 'gemma3',
      supported: { training: false, reason: expect.stringContaining('"gemma3"') },
      memory: { training: null },
    },
  })
})

test('adding the same model twice changes nothing; another model needs another name', async () => {
  const { catalogue, storeFolder } = newCatalogue()
  await catalogue.add(relative(process.cwd(), elsewhere), 'mine.gguf')
  const list = readFileSync(join(storeFolder, 'models.json'), 'utf8')
  expect(await catalogue.add(elsewhere, 'mine')).toMatchObject({ name: 'mine', path: elsewhere })
  expect(readFileSync(join(storeFolder, 'models.json'), 'utf8')).toBe(list)
  const nano = join(bundledFolder, 'selkie-nano.gguf')
  await expect(catalogue.add(nano, 'mine')).rejects.toMatchObject({
    code: 'conflict',
    data: { path: elsewhere },
  })
  await expect(catalogue.add(elsewhere, 'selkie-nano')).rejects.toMatchObject({ code: 'conflict' })
  await expect(catalogue.add(elsewhere, '../mine')).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(catalogue.add(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a name or a path leads to a model; an unknown one to the names that are near', async () => {
  const { catalogue } = newCatalogue()
  await catalogue.add(elsewhere, 'mine')
  const nano = { name: 'selkie-nano', path: join(bundledFolder, 'selkie-nano.gguf'), source: 'bundled' }
  expect(await catalogue.resolve('selkie-nano')).toEqual(nano)
  expect(await catalogue.resolve('mine')).toEqual({ name: 'mine', path: elsewhere, source: 'added' })
  expect(await catalogue.resolve(relative(process.cwd(), elsewhere))).toEqual({
    name: 'elsewhere',
    path: elsewhere,
    source: 'file',
  })
  await expect(catalogue.resolve('selkie-nana')).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('Did you mean "selkie-nano"?'),
    data: { near: 'selkie-nano' },
  })
  await expect(catalogue.resolve('mistral-large')).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('selkie-nano, mine'),
  })
})

test('removing takes an added model off the list and leaves its file', async () => {
  const { catalogue } = newCatalogue()
  await catalogue.add(elsewhere, 'mine')
  await catalogue.remove('mine')
  expect((await catalogue.list()).map(({ name }) => name)).toEqual(['selkie-nano'])
  expect(existsSync(elsewhere)).toBe(true)
  await expect(catalogue.remove('mine')).rejects.toMatchObject({ code: 'not_found' })
  await expect(catalogue.remove('selkie-nano')).rejects.toMatchObject({ code: 'invalid_input' })
})

test.each(['', '{', '[]', '{"models": [{"name": "x"}]}', 'null'])(
  'a damaged list (%s) is not overwritten',
  async (content) => {
    const { catalogue, storeFolder } = newCatalogue()
    mkdirSync(storeFolder)
    writeFileSync(join(storeFolder, 'models.json'), content)
    await expect(catalogue.list()).rejects.toMatchObject({ code: 'corrupt_file' })
    await expect(catalogue.add(elsewhere)).rejects.toMatchObject({ code: 'corrupt_file' })
    expect(readFileSync(join(storeFolder, 'models.json'), 'utf8')).toBe(content)
  },
)
