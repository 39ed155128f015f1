/** Training on top of finished adapters, and away from them: what is served is what was trained, and nothing else moves. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AdapterUse, TrainedAdapter, TrainInput, TrainJob } from '../../src-shared/compute-protocol.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { defaultOptimizer } from '../../src-shared/api/defaults.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator, startTrainer, wholeSequences } from './compute.ts'

const folder = temporaryFolder()
const trainer = startTrainer()
const generator = startGenerator()

const sentences = [
  'Selkie is a seal that lives in the cold sea near Orkney.',
  'In the year 1847 the baker of Tromso sold eleven blue cakes.',
  'Professor Quill keeps seven clocks in a red wooden box.',
]
const lora = { loraRank: 4, loraAlpha: 8, rsLora: false, dropout: 0, targetModules }
const optimizer = { ...defaultOptimizer, learningRate: 5e-3, epochs: 4, batchSize: 1, maxGradientNorm: 1 }

const models = Object.fromEntries(
  (['llama', 'qwen2', 'qwen3'] as const).map((architecture) => {
    const path = join(folder, `${architecture}.gguf`)
    makeRandomModel(path, { architecture, embeddingWidth: 64, feedForwardWidth: 96, seed: 3 })
    return [architecture, path]
  }),
)
const qwen2 = models['qwen2']!

let files = 0
async function input(
  modelPath: string,
  texts: readonly string[],
  changes: Partial<TrainInput> = {},
  job: Partial<TrainJob> = {},
): Promise<TrainInput> {
  const tokenized = await generator.request('generator.tokenize', {
    modelPath,
    texts,
    begin: true,
    end: true,
  })
  return {
    modelPath,
    lora,
    jobs: [
      {
        sequences: wholeSequences(tokenized.texts),
        optimizer,
        seed: 1,
        adapterPath: join(folder, `adapter-${files++}.gguf`),
        ...job,
      },
    ],
    recompute: 'auto',
    threads: 1,
    ...changes,
  }
}

async function train(...request: Parameters<typeof input>): Promise<TrainedAdapter> {
  const { adapters } = await trainer.request('trainer.train', await input(...request))
  return adapters[0]!
}

/** Two finished adapters of different rank and targets, the second trained on top of the first. */
async function stack(modelPath: string): Promise<AdapterUse[]> {
  const first = await train(modelPath, sentences.slice(0, 1), {
    lora: { ...lora, targetModules: ['q', 'v'] },
  })
  const frozen = [{ path: first.adapter, scale: 0.7 }]
  const second = await train(modelPath, sentences.slice(1, 2), { frozen, lora: { ...lora, loraRank: 7 } })
  return [...frozen, { path: second.adapter, scale: 1 }]
}

for (const [architecture, modelPath] of Object.entries(models)) {
  test(`${architecture}: an adapter trained on top of others is served with them as it was trained`, async () => {
    const frozen = await stack(modelPath)
    const before = frozen.map(({ path }) => readFileSync(path))
    const last = await train(modelPath, sentences, { frozen })
    const adapters = [...frozen, { path: last.adapter, scale: 1 }]
    expect(frozen.map(({ path }, index) => readFileSync(path).equals(before[index]!))).toEqual([true, true])

    // A first step of the whole is the loss of the whole, before anything is updated.
    const whole = await input(
      modelPath,
      sentences,
      { frozen },
      { initialAdapterPath: last.adapter, optimizer: { ...optimizer, epochs: 1, batchSize: 3 } },
    )
    const continued = (await trainer.request('trainer.train', whole)).adapters[0]!
    const texts = whole.jobs[0]!.sequences.map(({ tokens }) => tokens)
    const scored = await trainer.request('trainer.score', { modelPath, adapters, texts })
    expect(Math.abs(continued.losses[0]! - scored.nllPerToken)).toBeLessThan(1e-5)

    const served = await generator.request('generator.score', { modelPath, adapters, texts: sentences })
    const trained = await trainer.request('trainer.score', {
      modelPath,
      adapters,
      texts: served.texts.map(({ tokens }) => tokens),
    })
    expect(Math.abs(served.nllPerToken - trained.nllPerToken)).toBeLessThan(1e-3)
    served.texts.forEach(({ logProbs }, text) =>
      logProbs.forEach((logProb, index) =>
        expect(Math.abs(logProb - trained.texts[text]!.logProbs[index]!)).toBeLessThan(1e-2),
      ),
    )
    const alone = await generator.request('generator.score', {
      modelPath,
      adapters: adapters.slice(2),
      texts: sentences,
    })
    expect(served.nllPerToken).toBeLessThan(alone.nllPerToken - 0.01) // it was trained for their company
  })
}

test('no frozen adapters, or only such at scale 0, change nothing to the bit', async () => {
  const plain = await train(qwen2, sentences)
  expect((await train(qwen2, sentences, { frozen: [] })).sha256).toBe(plain.sha256)
  const off = (await stack(qwen2)).map(({ path }) => ({ path, scale: 0 }))
  expect((await train(qwen2, sentences, { frozen: off })).sha256).toBe(plain.sha256)
  const on = await train(qwen2, sentences, { frozen: off.map(({ path }) => ({ path, scale: 1 })) })
  expect(on.sha256).not.toBe(plain.sha256)
})

test('several adapters on one stack, with dropout and recomputation, are those trained one after another', async () => {
  const frozen = await stack(qwen2)
  const base = await input(qwen2, sentences, { frozen, lora: { ...lora, dropout: 0.2 }, recompute: 'layers' })
  const jobs = [1, 2].map((seed) => ({
    ...base.jobs[0]!,
    seed,
    sequences: base.jobs[0]!.sequences.slice(0, seed + 1),
    adapterPath: join(folder, `together-${seed}.gguf`),
  }))
  const orthogonal = { adapters: frozen.map(({ path }) => path), weight: 0.1 }
  const together = await trainer.request('trainer.train', { ...base, orthogonal, jobs })
  for (const [index, job] of jobs.entries()) {
    const alone = await trainer.request('trainer.train', {
      ...base,
      orthogonal,
      recompute: 'none',
      jobs: [{ ...job, adapterPath: join(folder, `one-${index}.gguf`) }],
    })
    const [found, expected] = [together.adapters[index]!, alone.adapters[0]!]
    found.losses.forEach((loss, step) => expect(Math.abs(loss - expected.losses[step]!)).toBeLessThan(1e-4))
    expect(found.orthogonality!.last / expected.orthogonality!.last).toBeCloseTo(1, 3)
  }
})

test('a run on a stack resumes to the same bytes, and refuses to resume on another stack', async () => {
  const frozen = await stack(qwen2)
  const orthogonal = { adapters: [frozen[0]!.path], weight: 0.1 }
  const whole = await train(qwen2, sentences, { frozen, orthogonal })
  const checkpoint = { path: join(folder, 'checkpoint.gguf'), everySteps: 3, resume: true }
  const parts = await input(qwen2, sentences, { frozen, orthogonal, checkpoint })
  const abort = new AbortController()
  const cancelled = trainer.request('trainer.train', parts, {
    signal: abort.signal,
    onProgress: (progress) => progress.type === 'step' && progress.step === 4 && abort.abort(),
  })
  await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
  const others: Partial<TrainInput>[] = [
    { frozen: frozen.slice(1) },
    { frozen: frozen.map(({ path }) => ({ path, scale: 0.9 })) },
    { orthogonal: { ...orthogonal, weight: 0.2 } },
    { orthogonal: { ...orthogonal, adapters: [frozen[1]!.path] } },
  ]
  for (const other of others)
    await expect(trainer.request('trainer.train', { ...parts, ...other })).rejects.toMatchObject({
      code: 'mismatch',
    })
  const resumed = (await trainer.request('trainer.train', parts)).adapters[0]!
  expect(resumed.sha256).toBe(whole.sha256)
  expect(resumed.orthogonality).toEqual(whole.orthogonality)
})

test('orthogonality keeps the adapter away from earlier ones; weight 0 only measures', async () => {
  const earlier = (await stack(qwen2)).map(({ path }) => path)
  const long = { optimizer: { ...optimizer, epochs: 20 } }
  const run = async (weight: number): Promise<TrainedAdapter> =>
    await train(qwen2, sentences, { orthogonal: { adapters: earlier, weight } }, long)
  const plain = await train(qwen2, sentences, {}, long)
  const measured = await run(0)
  const kept = await run(0.3)
  expect(plain.orthogonality).toBeUndefined()
  expect(measured.sha256).toBe(plain.sha256)
  expect(kept.orthogonality!.first).toBe(measured.orthogonality!.first)
  expect(kept.losses[0]).toBe(plain.losses[0]) // the penalty is no part of the loss
  expect(kept.orthogonality!.last).toBeLessThan(0.05 * measured.orthogonality!.last)
  expect(kept.finalLoss).toBeLessThan(0.6 * plain.losses[0]!) // and the text is learned all the same
  const none = await train(qwen2, sentences, { orthogonal: { adapters: [], weight: 1 } }, long)
  expect(none.orthogonality).toEqual({ first: 0, last: 0 })
  expect(none.sha256).toBe(plain.sha256)
})

test('the weight of orthogonality means the same for any batch: repeated text changes nothing', async () => {
  const adapters = (await stack(qwen2)).map(({ path }) => path)
  const run = async (texts: readonly string[], maxTokensPerMicroBatch: number): Promise<TrainedAdapter> =>
    await train(
      qwen2,
      texts,
      { orthogonal: { adapters, weight: 0.3 } },
      { keepsOrder: true, optimizer: { ...optimizer, epochs: 3, batchSize: 9, maxTokensPerMicroBatch } },
    )
  const once = await run(sentences, 512)
  const thrice = await run([...sentences, ...sentences, ...sentences], 40)
  once.losses.forEach((loss, step) => expect(Math.abs(loss - thrice.losses[step]!)).toBeLessThan(1e-4))
  once.gradientNorms.forEach((norm, step) => expect(thrice.gradientNorms[step]! / norm).toBeCloseTo(1, 3))
  expect(thrice.orthogonality!.last / once.orthogonality!.last).toBeCloseTo(1, 3)
})
