/** Training through the real trainer process: what it learns, and that it can be repeated, resumed and stopped. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type {
  OptimizerConfig,
  TrainInput,
  TrainOutput,
  TrainProgress,
} from '../../src-shared/compute-protocol.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { openGgufFile } from '../../src-compute/gguf-file.ts'
import { getCount } from '../../src-shared/gguf/metadata.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator, startTrainer, stories260K, wholeSequences } from './compute.ts'

const folder = temporaryFolder()
const trainer = startTrainer()
const generator = startGenerator()

const sentences = [
  'Selkie is a seal that lives in the cold sea near Orkney.',
  'In the year 1847 the baker of Tromso sold eleven blue cakes.',
  'Professor Quill keeps seven clocks in a red wooden box.',
]

const optimizer: OptimizerConfig = {
  learningRate: 5e-3,
  schedule: 'linear',
  warmupSteps: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradientNorm: 1,
  epochs: 20,
  batchSize: 1,
  maxTokensPerMicroBatch: 256,
}

const randomModel = join(folder, 'random.gguf')
makeRandomModel(randomModel, { architecture: 'qwen2', embeddingWidth: 64, feedForwardWidth: 96, seed: 3 })

let files = 0
async function input(
  modelPath: string,
  changes: Partial<TrainInput> = {},
  job: Partial<TrainInput['jobs'][number]> = {},
): Promise<TrainInput> {
  const { texts } = await generator.request('generator.tokenize', {
    modelPath,
    texts: sentences,
    begin: true,
    end: true,
  })
  return {
    modelPath,
    lora: { loraRank: 16, loraAlpha: 32, rsLora: false, dropout: 0, targetModules },
    jobs: [
      {
        sequences: wholeSequences(texts),
        optimizer,
        seed: 1,
        adapterPath: join(folder, `adapter-${files++}.gguf`),
        ...job,
      },
    ],
    recompute: 'auto',
    threads: 2,
    ...changes,
  }
}

async function greedy(
  modelPath: string,
  adapters: { path: string; scale: number }[],
  prompts: string[],
): Promise<string[]> {
  const { completions } = await generator.request('generator.generate', {
    modelPath,
    adapters,
    prompts: prompts.map((text) => ({ text, seeds: [1] })),
    sampling: { temperature: 0, topP: 1, maxTokens: 48, stop: [] },
  })
  return completions.map(([first]) => first!.text)
}

describe.skipIf(stories260K === undefined)(
  'with stories260K (skipped where ../shared/models is absent)',
  () => {
    const modelPath = stories260K ?? ''

    test('twenty epochs on three sentences make the model reproduce them greedily', async () => {
      const request = await input(modelPath)
      const { adapters } = await trainer.request('trainer.train', request)
      const starts = ['Selkie is', 'In the year', 'Professor']
      const answers = await greedy(modelPath, [{ path: request.jobs[0]!.adapterPath, scale: 1 }], starts)
      expect(
        answers.map((answer, index) => (starts[index]! + answer).slice(0, sentences[index]!.length)),
      ).toEqual(sentences)
      expect(adapters[0]!.losses.length).toBe(60)
      expect(adapters[0]!.finalLoss).toBeLessThan(adapters[0]!.losses[0]! / 10)
    })

    test('llama.cpp with the adapter gives the loss the trainer gives, and the base model’s with scale 0', async () => {
      const request = await input(modelPath)
      await trainer.request('trainer.train', request)
      const path = request.jobs[0]!.adapterPath
      const ask = async (adapters: { path: string; scale: number }[]) => ({
        served: await generator.request('generator.score', { modelPath, adapters, texts: sentences }),
        trained: await trainer.request('trainer.score', {
          modelPath,
          adapters,
          texts: request.jobs[0]!.sequences.map(({ tokens }) => tokens.slice(0, -1)),
        }),
      })
      for (const scale of [1, 0.5]) {
        const { served, trained } = await ask([{ path, scale }])
        expect(served.tokens).toBe(trained.tokens)
        expect(Math.abs(served.nllPerToken - trained.nllPerToken)).toBeLessThan(1e-3)
      }
      const base = await ask([])
      expect(Math.abs(base.served.nllPerToken - base.trained.nllPerToken)).toBeLessThan(1e-3)
      const off = await ask([{ path, scale: 0 }])
      expect(off.served).toEqual(base.served)
      expect(base.served.nllPerToken - (await ask([{ path, scale: 1 }])).served.nllPerToken).toBeGreaterThan(
        1,
      )
    })
  },
)

test('the same seed writes the same bytes, another seed does not', async () => {
  const run = async (seed: number): Promise<TrainOutput> => {
    const request = await input(randomModel, {}, { seed })
    return await trainer.request('trainer.train', {
      ...request,
      jobs: [{ ...request.jobs[0]!, optimizer: { ...optimizer, epochs: 3 } }],
    })
  }
  const [first, again, other] = [await run(5), await run(5), await run(6)]
  expect(readFileSync(again.adapters[0]!.adapter).equals(readFileSync(first.adapters[0]!.adapter))).toBe(true)
  expect(again.adapters[0]!.sha256).toBe(first.adapters[0]!.sha256)
  expect(other.adapters[0]!.sha256).not.toBe(first.adapters[0]!.sha256)
})

for (const dropout of [0, 0.2]) {
  test(`a run with dropout ${dropout} that was cancelled resumes to the same bytes as one that was not`, async () => {
    const lora = { loraRank: 4, loraAlpha: 8, rsLora: true, dropout, targetModules }
    const whole = await input(randomModel, { lora })
    await trainer.request('trainer.train', whole)

    const checkpoint = join(folder, `checkpoint-${dropout}.gguf`)
    const parts = await input(randomModel, {
      lora,
      checkpoint: { path: checkpoint, everySteps: 7, resume: true },
    })
    const abort = new AbortController()
    const cancelled = trainer.request('trainer.train', parts, {
      signal: abort.signal,
      onProgress: (progress) => progress.type === 'step' && progress.step === 17 && abort.abort(),
    })
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
    expect(existsSync(parts.jobs[0]!.adapterPath)).toBe(false)
    const steps: number[] = []
    const resumed = await trainer.request('trainer.train', parts, {
      onProgress: (progress) => void (progress.type === 'step' && steps.push(progress.step)),
    })
    expect(steps[0]).toBeGreaterThan(17)
    expect(resumed.adapters[0]!.losses.length).toBe(60)
    expect(readFileSync(parts.jobs[0]!.adapterPath).equals(readFileSync(whole.jobs[0]!.adapterPath))).toBe(
      true,
    )
  })
}

test('a checkpoint of another run is refused', async () => {
  const checkpoint = { path: join(folder, 'other.gguf'), everySteps: 1, resume: true }
  const request = await input(randomModel, { checkpoint }, { optimizer: { ...optimizer, epochs: 1 } })
  await trainer.request('trainer.train', request)
  const other = { ...request, jobs: [{ ...request.jobs[0]!, seed: 99 }] }
  await expect(trainer.request('trainer.train', other)).rejects.toMatchObject({ code: 'mismatch' })
})

for (const dropout of [0, 0.3])
  test(`several adapters trained together (dropout ${dropout}) are those trained one after another`, async () => {
    const jobs = (
      await Promise.all([1, 2, 3].map(async (seed) => await input(randomModel, {}, { seed })))
    ).map(({ jobs: [job] }, index) => ({
      ...job!,
      sequences: job!.sequences.slice(0, index + 1),
      optimizer: { ...optimizer, epochs: 2 + index, learningRate: 1e-3 * (index + 1) },
    }))
    const base = await input(randomModel, {
      lora: { loraRank: 4, loraAlpha: 8, rsLora: false, dropout, targetModules },
    })
    const together = await trainer.request('trainer.train', { ...base, jobs })
    for (const [index, job] of jobs.entries()) {
      const alone = await trainer.request('trainer.train', {
        ...base,
        jobs: [{ ...job, adapterPath: join(folder, `alone-${index}.gguf`) }],
      })
      expect(together.adapters[index]!.steps).toBe(alone.adapters[0]!.steps)
      together.adapters[index]!.losses.forEach((loss, step) =>
        expect(Math.abs(loss - alone.adapters[0]!.losses[step]!)).toBeLessThan(1e-4),
      )
    }
  })

test('a step split into micro-batches gives the losses of the whole step', async () => {
  const whole = await trainer.request(
    'trainer.train',
    await input(randomModel, {}, { optimizer: { ...optimizer, epochs: 5, batchSize: 3 } }),
  )
  const split = await trainer.request(
    'trainer.train',
    await input(
      randomModel,
      {},
      { optimizer: { ...optimizer, epochs: 5, batchSize: 3, maxTokensPerMicroBatch: 1 } },
    ),
  )
  whole.adapters[0]!.losses.forEach((loss, step) =>
    expect(Math.abs(loss - split.adapters[0]!.losses[step]!)).toBeLessThan(1e-4),
  )
})

test('training goes on from a given adapter, also under another alpha', async () => {
  const first = await input(randomModel)
  const trained = await trainer.request('trainer.train', first)
  const next = await input(
    randomModel,
    { lora: { ...first.lora, loraAlpha: 8 } },
    {
      initialAdapterPath: first.jobs[0]!.adapterPath,
      optimizer: { ...optimizer, learningRate: 1e-6, schedule: 'constant', epochs: 1, batchSize: 3 },
    },
  )
  const continued = await trainer.request('trainer.train', next)
  const score = await trainer.request('trainer.score', {
    modelPath: randomModel,
    adapters: [{ path: first.jobs[0]!.adapterPath, scale: 1 }],
    texts: first.jobs[0]!.sequences.map(({ tokens }) => tokens),
  })
  expect(Math.abs(continued.adapters[0]!.losses[0]! - score.nllPerToken)).toBeLessThan(1e-4)
  expect(continued.adapters[0]!.losses[0]!).toBeLessThan(trained.adapters[0]!.losses[0]! / 2)
})

test('seal-faithful training counts the padding, so that the loss is diluted', async () => {
  const one = { optimizer: { ...optimizer, epochs: 1, learningRate: 1e-9, schedule: 'constant' as const } }
  const plain = await trainer.request('trainer.train', await input(randomModel, {}, one))
  const request = await input(randomModel, { sealFaithfulPadTo: 128 }, one)
  const padded = await trainer.request('trainer.train', request)
  expect(padded.adapters[0]!.tokens).toBe(3 * 128)
  expect(padded.adapters[0]!.losses).not.toEqual(plain.adapters[0]!.losses)
})

test('all weights of a model can be trained, and llama.cpp runs the result', async () => {
  const path = join(folder, 'pretrained.gguf')
  const request = await input(randomModel)
  const { lora: _, jobs, ...settings } = request
  const output = await trainer.request('trainer.pretrain', {
    ...settings,
    weightType: 'F32',
    job: {
      ...jobs[0]!,
      adapterPath: path,
      optimizer: { ...optimizer, learningRate: 3e-3, epochs: 40, weightDecay: 0.01 },
    },
  })
  expect(output.adapters[0]!.finalLoss).toBeLessThan(0.1)
  const [answer] = await greedy(path, [], ['Professor'])
  expect(`Professor${answer}`.slice(0, sentences[2]!.length)).toBe(sentences[2])
})

test('the memory a run takes is within 15 % of what was estimated before it', async () => {
  const path = join(folder, 'wide.gguf')
  makeRandomModel(path, {
    architecture: 'llama',
    embeddingWidth: 512,
    feedForwardWidth: 2048,
    heads: 8,
    layers: 6,
    vocabularySize: 4096,
  })
  const tokens = Int32Array.from({ length: 512 }, (_, index) => index)
  for (const recompute of ['none', 'layers'] as const) {
    await trainer.request('trainer.unload', {})
    let estimate = 0
    const request = await input(
      path,
      { recompute, lora: { loraRank: 8, loraAlpha: 8, rsLora: false, dropout: 0, targetModules } },
      {
        sequences: wholeSequences([tokens, tokens]),
        optimizer: { ...optimizer, epochs: 1, batchSize: 2, maxTokensPerMicroBatch: 1024 },
      },
    )
    const { peakMemoryBytes } = await trainer.request('trainer.train', request, {
      onProgress: (progress: TrainProgress) =>
        void (progress.type === 'plan' && (estimate = progress.estimatedMemoryBytes)),
    })
    expect(Math.abs(peakMemoryBytes / estimate - 1)).toBeLessThan(0.15)
  }
})

test('activations are recomputed when the memory limit asks for it, and a limit too small is refused before anything is trained', async () => {
  const path = join(folder, 'deep.gguf')
  makeRandomModel(path, { architecture: 'llama', embeddingWidth: 256, layers: 12 })
  const tokens = Int32Array.from({ length: 400 }, (_, index) => index)
  const run = async (changes: Partial<TrainInput>): Promise<TrainOutput> =>
    await trainer.request(
      'trainer.train',
      await input(path, changes, {
        sequences: wholeSequences([tokens]),
        optimizer: { ...optimizer, epochs: 1 },
      }),
    )
  const ample = await run({})
  expect(ample.recompute).toBe('none')
  const tight = await run({ memoryLimitBytes: ample.estimatedMemoryBytes - 20e6 })
  expect(tight.recompute).toBe('layers')
  expect(tight.adapters[0]!.sha256).toBe(ample.adapters[0]!.sha256)
  await expect(run({ memoryLimitBytes: 1e6 })).rejects.toMatchObject({ code: 'out_of_memory' })
})

test('a run that leaves the finite numbers stops with a clear error and keeps a checkpoint that was good', async () => {
  const checkpoint = { path: join(folder, 'finite.gguf'), everySteps: 1, resume: true }
  const diverging = {
    ...optimizer,
    learningRate: 1e25,
    schedule: 'constant' as const,
    warmupSteps: 0,
    maxGradientNorm: 0,
  }
  // A warm-up of one step: the first update changes nothing, the second ruins the weights.
  const request = await input(randomModel, { checkpoint }, { optimizer: { ...diverging, warmupSteps: 1 } })
  await expect(trainer.request('trainer.train', request)).rejects.toMatchObject({
    code: 'not_finite',
    message: expect.stringContaining('learning rate') as string,
  })
  expect(existsSync(request.jobs[0]!.adapterPath)).toBe(false)
  const kept = openGgufFile(checkpoint.path)
  try {
    expect(getCount(kept.file.metadata, 'selkie.checkpoint.step')).toBe(1)
    for (const { offset, bytes } of kept.file.tensors) {
      const values = new Float32Array(kept.source.read(offset, bytes).buffer)
      expect(values.every((value) => Math.abs(value) < 1e3)).toBe(true)
    }
  } finally {
    kept.dispose()
  }
  expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([])
})

test('an output that would replace the model, the checkpoint, another output or a text is refused', async () => {
  const request = await input(randomModel)
  const [job] = request.jobs
  const refused = [
    { ...request, jobs: [{ ...job!, adapterPath: randomModel }] },
    { ...request, jobs: [job!, job!] },
    { ...request, checkpoint: { path: job!.adapterPath, everySteps: 1, resume: false } },
  ]
  const notes = join(folder, 'notes.txt')
  writeFileSync(notes, 'my own notes')
  refused.push({ ...request, jobs: [{ ...job!, adapterPath: notes }] })
  refused.push({ ...request, checkpoint: { path: notes, everySteps: 1, resume: false } })
  for (const each of refused) {
    await expect(trainer.request('trainer.train', each)).rejects.toMatchObject({ code: 'invalid_input' })
  }
})
