/** Whatever file or request is wrong, the trainer says so, nothing half-written appears, and its process stays. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import { targetModules, type TrainInput, type TrainJob } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { text } from '../../src-shared/gguf/metadata.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startTrainer, wholeSequences } from './compute.ts'

const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)
const launches: { kill: () => void }[] = []
const trainer = startTrainer((child) => launches.push(child))

makeRandomModel(at('model.gguf'), {
  architecture: 'llama',
  layers: 1,
  embeddingWidth: 64,
  feedForwardWidth: 64,
})
makeRandomModel(at('wide.gguf'), { architecture: 'llama', layers: 1, embeddingWidth: 128 })
writeGgufFile(at('adapter.gguf'), randomAdapter(readGgufFile(at('model.gguf')), { targetModules }))
writeGgufFile(at('wide-adapter.gguf'), randomAdapter(readGgufFile(at('wide.gguf')), { targetModules }))
const zeros = (name: string, shape: readonly [number, number]) => ({
  name,
  type: 'F32' as const,
  shape,
  data: new Uint8Array(shape[0] * shape[1] * 4),
})
const [, vocabulary = 0] = readGgufFile(at('model.gguf')).tensors.find(
  ({ name }) => name === 'token_embd.weight',
)!.shape
writeGgufFile(at('embeddings.gguf'), {
  metadata: randomAdapter(readGgufFile(at('model.gguf'))).metadata,
  tensors: [zeros('token_embd.weight.lora_a', [2, vocabulary]), zeros('token_embd.weight.lora_b', [2, 64])],
})
const model = readFileSync(at('model.gguf'))
const adapter = readFileSync(at('adapter.gguf'))

function request(changes: Partial<TrainInput> = {}, job: Partial<TrainJob> = {}): TrainInput {
  return {
    modelPath: at('model.gguf'),
    lora: { loraRank: 4, loraAlpha: 8, rsLora: false, dropout: 0, targetModules },
    jobs: [
      {
        sequences: wholeSequences([Int32Array.of(1, 20, 21, 22, 2)]),
        optimizer: {
          learningRate: 1e-3,
          schedule: 'constant',
          warmupSteps: 0,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
          weightDecay: 0,
          maxGradientNorm: 1,
          epochs: 1,
          batchSize: 1,
          maxTokensPerMicroBatch: 64,
        },
        seed: 1,
        adapterPath: at('out.gguf'),
        ...job,
      },
    ],
    recompute: 'auto',
    threads: 1,
    ...changes,
  }
}

const lora = (changes: Partial<TrainInput['lora']>): Partial<TrainInput> => ({
  lora: { ...request().lora, ...changes },
})
const optimizer = (changes: Partial<TrainJob['optimizer']>): Partial<TrainJob> => ({
  optimizer: { ...request().jobs[0]!.optimizer, ...changes },
})
const tokens = (...values: number[]): Partial<TrainJob> => ({
  sequences: wholeSequences([Int32Array.from(values)]),
})
const long = Array.from({ length: 513 }, (_, index) => index % 300)

const faults: [what: string, changes: Partial<TrainInput>, job: Partial<TrainJob>, code: string][] = [
  ['a model that is not there', { modelPath: at('absent.gguf') }, {}, 'not_found'],
  ['a folder as the model', { modelPath: folder }, {}, 'invalid_input'],
  ['an adapter as the model', { modelPath: at('adapter.gguf') }, {}, 'invalid_input'],
  ['rank 0', lora({ loraRank: 0 }), {}, 'invalid_input'],
  ['half a rank', lora({ loraRank: 1.5 }), {}, 'invalid_input'],
  ['a rank wider than the model', lora({ loraRank: 65 }), {}, 'invalid_input'],
  ['alpha 0', lora({ loraAlpha: 0 }), {}, 'invalid_input'],
  ['dropout 1', lora({ dropout: 1 }), {}, 'invalid_input'],
  ['no target modules', lora({ targetModules: [] }), {}, 'invalid_input'],
  ['no jobs', { jobs: [] }, {}, 'invalid_input'],
  ['no text', {}, { sequences: [] }, 'invalid_input'],
  ['a text of one token', {}, tokens(1), 'invalid_input'],
  ['a text longer than the context', {}, tokens(...long), 'invalid_input'],
  ['a token outside the vocabulary', {}, tokens(1, 2, 512), 'invalid_input'],
  ['a negative token', {}, tokens(1, -2, 5), 'invalid_input'],
  ['a learning rate of 0', {}, optimizer({ learningRate: 0 }), 'invalid_input'],
  ['a learning rate that is no number', {}, optimizer({ learningRate: NaN }), 'invalid_input'],
  ['no epochs', {}, optimizer({ epochs: 0 }), 'invalid_input'],
  ['a batch of nothing', {}, optimizer({ batchSize: 0 }), 'invalid_input'],
  ['a device that is not there', { device: 'CUDA9' }, {}, 'not_found'],
  ['a folder that is not there', {}, { adapterPath: at('nowhere/out.gguf') }, 'not_found'],
  ['a folder as the output', {}, { adapterPath: folder }, 'invalid_input'],
  [
    'an adapter of another model to start from',
    {},
    { initialAdapterPath: at('wide-adapter.gguf') },
    'mismatch',
  ],
  ['a model to start from', {}, { initialAdapterPath: at('model.gguf') }, 'mismatch'],
  [
    'an adapter of another rank to start from',
    lora({ loraRank: 3 }),
    { initialAdapterPath: at('adapter.gguf') },
    'mismatch',
  ],
  [
    'fewer targets than the adapter to start from',
    lora({ targetModules: ['q'] }),
    { initialAdapterPath: at('adapter.gguf') },
    'mismatch',
  ],
  [
    'a frozen adapter of another model',
    { frozen: [{ path: at('wide-adapter.gguf'), scale: 1 }] },
    {},
    'mismatch',
  ],
  [
    'a frozen adapter that is not there',
    { frozen: [{ path: at('absent.gguf'), scale: 1 }] },
    {},
    'not_found',
  ],
  ['a scale that is no number', { frozen: [{ path: at('adapter.gguf'), scale: NaN }] }, {}, 'invalid_input'],
  ['an adapter on embeddings', { frozen: [{ path: at('embeddings.gguf'), scale: 1 }] }, {}, 'unsupported'],
  [
    'a frozen adapter as the output',
    { frozen: [{ path: at('adapter.gguf'), scale: 1 }] },
    { adapterPath: at('adapter.gguf') },
    'invalid_input',
  ],
  [
    'an adapter of another model to be orthogonal to',
    { orthogonal: { adapters: [at('wide-adapter.gguf')], weight: 1 } },
    {},
    'mismatch',
  ],
  ['a negative weight', { orthogonal: { adapters: [], weight: -1 } }, {}, 'invalid_input'],
  [
    'an adapter to be orthogonal to as the output',
    { orthogonal: { adapters: [at('adapter.gguf')], weight: 1 } },
    { adapterPath: at('adapter.gguf') },
    'invalid_input',
  ],
  ['a padding shorter than the text', { sealFaithfulPadTo: 3 }, {}, 'invalid_input'],
]

test.each(faults)('%s is refused with a clear error', async (_what, changes, job, code) => {
  const kept = readFileSync(at('adapter.gguf'))
  const input = request({ ...changes, ...(changes.jobs ? {} : { jobs: request({}, job).jobs }) })
  const error = await trainer.request('trainer.train', input).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ code })
  expect((error as AppError).message.length).toBeGreaterThan(30)
  expect(existsSync(at('out.gguf'))).toBe(false)
  expect(readFileSync(at('adapter.gguf')).equals(kept)).toBe(true)
  expect(launches.length).toBe(1)
})

test('models of other architectures and with unknown tensors are refused by name', async () => {
  const file = readGgufFile(at('model.gguf'))
  const tensors = file.tensors.map((tensor) => ({
    ...tensor,
    data: model.subarray(tensor.offset, tensor.offset + tensor.bytes),
  }))
  writeGgufFile(at('gemma.gguf'), {
    metadata: [...file.metadata].map(([key, value]) =>
      key === 'general.architecture' ? [key, text('gemma3')] : [key, value],
    ),
    tensors,
  })
  await expect(
    trainer.request('trainer.train', request({ modelPath: at('gemma.gguf') })),
  ).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('llama, qwen2, qwen3') as string,
  })
  const extra = {
    name: 'blk.0.attn_sinks.weight',
    type: 'F32' as const,
    shape: [4],
    data: new Uint8Array(16),
  }
  writeGgufFile(at('extra.gguf'), { metadata: file.metadata, tensors: [...tensors, extra] })
  await expect(
    trainer.request('trainer.train', request({ modelPath: at('extra.gguf') })),
  ).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('attn_sinks') as string })
  writeGgufFile(at('short.gguf'), {
    metadata: file.metadata,
    tensors: tensors.filter(({ name }) => name !== 'blk.0.ffn_up.weight'),
  })
  await expect(
    trainer.request('trainer.train', request({ modelPath: at('short.gguf') })),
  ).rejects.toMatchObject({ code: 'corrupt_file', message: expect.stringContaining('ffn_up') as string })
  expect(launches.length).toBe(1)
})

test('three hundred damaged models and adapters give typed errors or harmless results, and the process stays', async () => {
  const draw = uniformFloat('damage')
  const damage = (bytes: Buffer, header: number): Buffer => {
    const copy = Buffer.from(bytes)
    if (draw() < 0.3) return copy.subarray(0, Math.floor(draw() * copy.length))
    for (let flips = 1 + Math.floor(draw() * 4); flips > 0; flips--) {
      const place = Math.floor(draw() * header)
      copy[place] = draw() < 0.5 ? Math.floor(draw() * 256) : copy[place]! ^ (1 << Math.floor(draw() * 8))
    }
    return copy
  }
  const outcomes = new Map<string, number>()
  for (let index = 0; index < 300; index++) {
    const damagesModel = index % 2 === 0
    const [bytes, header] = damagesModel
      ? [model, readGgufFile(at('model.gguf')).dataOffset]
      : [adapter, readGgufFile(at('adapter.gguf')).dataOffset]
    writeFileSync(at('damaged.gguf'), damage(bytes, header))
    const input = damagesModel
      ? request({ modelPath: at('damaged.gguf') })
      : index % 4 === 1
        ? request({}, { initialAdapterPath: at('damaged.gguf') })
        : request({ frozen: [{ path: at('damaged.gguf'), scale: 1 }] })
    const outcome = await trainer.request('trainer.train', input).then(
      () => 'ok',
      (error: unknown) => (error as AppError).code,
    )
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  expect(
    [...outcomes.keys()].filter(
      (code) =>
        ![
          'ok',
          'corrupt_file',
          'mismatch',
          'unsupported',
          'invalid_input',
          'not_finite',
          'out_of_memory',
        ].includes(code),
    ),
  ).toEqual([])
  expect(outcomes.get('corrupt_file')).toBeGreaterThan(100)
  expect(launches.length).toBe(1)
})

const canMount = process.platform === 'linux' && process.getuid?.() === 0
test.skipIf(!canMount)(
  'a full disk is reported as such and leaves no file (needs root on Linux for a small file system)',
  async () => {
    const disk = at('disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk])
    try {
      await expect(
        trainer.request(
          'trainer.train',
          request(lora({ loraRank: 64 }), { adapterPath: join(disk, 'out.gguf') }),
        ),
      ).rejects.toMatchObject({ code: 'disk_full' })
      expect(readdirSync(disk)).toEqual([])
    } finally {
      execFileSync('umount', [disk])
    }
  },
)

test('a trainer that is killed fails only its own request; the next one works', async () => {
  const endless = request({}, { ...optimizer({ epochs: 100_000 }), adapterPath: at('killed.gguf') })
  const killed = trainer.request('trainer.train', endless, {
    onProgress: (progress) => progress.type === 'step' && progress.step === 5 && launches.at(-1)!.kill(),
  })
  await expect(killed).rejects.toMatchObject({ code: 'compute_crashed' })
  expect(readdirSync(folder).filter((name) => name.includes('killed'))).toEqual([])
  const { adapters } = await trainer.request('trainer.train', request())
  expect(adapters[0]!.steps).toBe(1)
  expect(launches.length).toBe(2)
})

afterAll(() => expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]))
