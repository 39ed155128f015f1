/** Adapters and models as others can use them: what is exported does what it was made from, or there is no file. */
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { openGgufFile, readGgufFile, writeGgufFile } from '../../src-compute/gguf-file.ts'
import {
  exportChecked,
  exportComposed,
  exportMerged,
  exportPeft,
  type ExportOptions,
  type Making,
} from '../../src-core/adapter-files/export.ts'
import { peftWeights, readPeft, writePeft } from '../../src-core/adapter-files/peft.ts'
import { openSafetensors } from '../../src-core/adapter-files/safetensors.ts'
import { Compute } from '../../src-core/compute/compute.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import type { ChildHandle } from '../../src-core/compute/launcher.ts'
import { targetModules, type AdapterUse, type TargetModule } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { readFactors, readFloats } from '../../src-shared/gguf/lora-factors.ts'
import { loraPairs } from '../../src-shared/gguf/lora-tensors.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel, type RandomModelOptions, type WeightType } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const at = (...names: readonly string[]): string => join(folder, ...names)
const entry = (name: string): string =>
  fileURLToPath(new URL(`../../src-compute/${name}/main.ts`, import.meta.url))
const children: { readonly entry: string; readonly child: ChildHandle }[] = []
const compute = new Compute(
  (path) => {
    const child = launchWithFork(path)
    children.push({ entry: path, child })
    return child
  },
  { generator: entry('generator'), trainer: entry('trainer') },
)
afterAll(() => compute.dispose())
const options: ExportOptions = { compute, signal: new AbortController().signal, threads: 1 }
const nano = fileURLToPath(new URL('../../resources/models/selkie-nano.gguf', import.meta.url))

let files = 0
const fresh = (name: string): string => at(`${files++}-${name}`)

/** An adapter about as strong as a trained one. */
function adapterFor(
  modelPath: string,
  seed: number,
  modules: readonly TargetModule[] = targetModules,
): string {
  const path = fresh('adapter.gguf')
  const { metadata, tensors } = randomAdapter(readGgufFile(modelPath), {
    seed,
    loraRank: 3 + seed,
    targetModules: modules,
  })
  for (const { name, data } of tensors) {
    const values = new Float32Array((data as Uint8Array<ArrayBuffer>).buffer) // sound: the fixture gives whole arrays
    if (name.endsWith('.lora_b')) values.forEach((value, index) => (values[index] = value * 0.3))
  }
  writeGgufFile(path, { metadata, tensors })
  return path
}

function model(shape: RandomModelOptions): string {
  const path = fresh('model.gguf')
  makeRandomModel(path, shape)
  return path
}

const stackFor = (modelPath: string): AdapterUse[] => [
  { path: adapterFor(modelPath, 1), scale: 1 },
  { path: adapterFor(modelPath, 2, ['q', 'k', 'down']), scale: -0.6 },
]

const weightsOf = (path: string): Map<string, Buffer> => {
  const bytes = readFileSync(path)
  return new Map(
    readGgufFile(path).tensors.map(({ name, offset, bytes: length }) => [
      name,
      bytes.subarray(offset, offset + length),
    ]),
  )
}
const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

const shapes: Record<string, RandomModelOptions> = {
  llama: { architecture: 'llama', heads: 4, kvHeads: 2 },
  qwen2: { architecture: 'qwen2' },
  qwen3: { architecture: 'qwen3', headWidth: 128 },
}

for (const [name, shape] of Object.entries(shapes)) {
  test(`${name}: a stack, its PEFT folder and the merged model do what the adapters do, within 1e-3`, async () => {
    const modelPath = model(shape)
    const source = { modelPath, adapters: stackFor(modelPath), baseSha256: sha256Of(modelPath) }
    const exported = [
      await exportComposed(source, fresh('stack.gguf'), options),
      await exportPeft(source, fresh('peft'), options),
      await exportMerged(source, fresh('merged.gguf'), options),
    ]
    for (const { parity, path, sha256 } of exported) {
      expect(parity.worst).toBeLessThan(1e-3)
      expect(parity.effect).toBeGreaterThan(0.1) // or the check would prove nothing
      expect(parity.tokens).toBeGreaterThan(100)
      expect(sha256Of(existsSync(join(path, peftWeights)) ? join(path, peftWeights) : path)).toBe(sha256)
    }
  })

  test(`${name}: an adapter that goes to PEFT and comes back has every bit of its weights`, async () => {
    const modelPath = model(shape)
    const path = adapterFor(modelPath, 1)
    const header = readGgufFile(modelPath)
    await writePeft(path, header, at(`${name}-peft`))
    await readPeft(at(`${name}-peft`), header, at(`${name}-back.gguf`))
    expect(weightsOf(at(`${name}-back.gguf`))).toEqual(weightsOf(path))
    await writePeft(at(`${name}-back.gguf`), header, at(`${name}-again`))
    for (const file of readdirSync(at(`${name}-peft`)))
      expect(readFileSync(at(`${name}-again`, file))).toEqual(readFileSync(at(`${name}-peft`, file)))
  })
}

test('PEFT has the rows of a llama model’s q and k in halves of a head, one by one as its converter turns them', async () => {
  const modelPath = model(shapes['llama']!)
  const path = adapterFor(modelPath, 1)
  await writePeft(path, readGgufFile(modelPath), at('rows'))
  const peft = openSafetensors(at('rows', peftWeights))
  const gguf = openGgufFile(path)
  const rank = 4
  const headWidth = 64
  for (const [module, tensor, heads] of [
    ['self_attn.q_proj', 'attn_q', 4],
    ['self_attn.k_proj', 'attn_k', 2],
  ] as const) {
    const entry = peft.tensors.find(
      (each) => each.name === `base_model.model.model.layers.1.${module}.lora_B.weight`,
    )!
    const theirs = readFloats({ name: '', type: 'F32' }, peft.read(entry))
    const pair = loraPairs(gguf.file).find(({ target }) => target === `blk.1.${tensor}.weight`)!
    const ours = readFloats(pair.b, gguf.source.read(pair.b.offset, pair.b.bytes))
    // weights.reshape(heads, 2, headWidth / 2, rank).swapaxes(1, 2).reshape(…)
    const turned: number[] = []
    for (let head = 0; head < heads; head++)
      for (let place = 0; place < headWidth / 2; place++)
        for (let half = 0; half < 2; half++)
          for (let k = 0; k < rank; k++)
            turned.push(theirs[((head * 2 + half) * (headWidth / 2) + place) * rank + k]!)
    expect(turned).toEqual([...ours])
    expect(turned).not.toEqual([...theirs])
  }
  peft.dispose()
  gguf.dispose()
})

// ------------------------------------------------------------------------------------------------ merging

test('a merge adds ΔW to what is adapted, and copies the rest byte for byte', async () => {
  const modelPath = model({ architecture: 'qwen2' })
  const adapters = [{ path: adapterFor(modelPath, 1, ['q', 'down']), scale: 0.5 }]
  const merged = fresh('merged.gguf')
  const seen: number[] = []
  const { tensorsChanged, sha256, bytes } = await compute.request(
    'trainer.merge',
    { modelPath, adapters, outputPath: merged, threads: 1 },
    { signal: options.signal, onProgress: ({ done }) => seen.push(done) },
  )
  expect([tensorsChanged, sha256, bytes]).toEqual([4, sha256Of(merged), readFileSync(merged).length])
  expect(seen).toEqual(readGgufFile(modelPath).tensors.map((_, index) => index + 1))
  const adapter = openGgufFile(adapters[0]!.path)
  const pairs = new Map(loraPairs(adapter.file).map((pair) => [pair.target, pair]))
  const after = weightsOf(merged)
  let worst = 0
  for (const [name, before] of weightsOf(modelPath)) {
    const pair = pairs.get(name)
    if (!pair) {
      expect(after.get(name)!.equals(before)).toBe(true)
      continue
    }
    const { rank, inputs, outputs, a, b } = readFactors(adapter, pair, 0.5)
    const [old, now] = [before, after.get(name)!].map((each) => readFloats({ name, type: 'F32' }, each))
    for (let output = 0; output < outputs; output++) {
      for (let input = 0; input < inputs; input++) {
        let expected = old![output * inputs + input]!
        for (let k = 0; k < rank; k++) expected += b[output * rank + k]! * a[k * inputs + input]!
        worst = Math.max(worst, Math.abs(now![output * inputs + input]! - expected))
      }
    }
  }
  adapter.dispose()
  expect(worst).toBeLessThan(1e-6)
  const kept = [...readGgufFile(modelPath).metadata.keys()]
  expect([...readGgufFile(merged).metadata.keys()]).toEqual([
    ...kept,
    'selkie.merged.base.sha256',
    'selkie.merged.adapters',
    'selkie.merged.scales',
  ])
})

const quantized: readonly WeightType[] = ['F16', 'BF16', 'Q8_0', 'Q6_K', 'Q4_K_M']
test('merged models of every weight type stay within their limits, also as llama.cpp quantises them', async () => {
  for (const type of quantized) {
    const modelPath = model({ architecture: 'llama', type })
    const source = { modelPath, adapters: stackFor(modelPath) }
    const before = readGgufFile(modelPath).tensors.map((tensor) => tensor.type)
    const { path, parity } = await exportMerged(source, fresh('merged.gguf'), options)
    expect(readGgufFile(path).tensors.map((tensor) => tensor.type)).toEqual(before)
    expect(parity.worst).toBeLessThan(parity.limit.worst)
  }
  const modelPath = model({ architecture: 'qwen3' })
  const source = { modelPath, adapters: stackFor(modelPath) }
  for (const weightType of ['F16', 'Q8_0', 'Q4_K_M'] as const) {
    const { path, parity } = await exportMerged(source, fresh('quantized.gguf'), { ...options, weightType })
    const types = new Set(
      readGgufFile(path).tensors.flatMap(({ shape, type }) => (shape.length > 1 ? [type] : [])),
    )
    expect(types).toContain(weightType === 'Q4_K_M' ? 'Q4_K' : weightType)
    expect(parity.mean).toBeGreaterThan(0)
  }
})

test('selkie-nano: every export stays within llama.cpp’s own noise, in single precision within 1e-3 on average', async () => {
  const adapters = stackFor(nano)
  const single = fresh('nano-f32.gguf')
  const untouched = adapters.map(({ path }) => ({ path, scale: 0 }))
  await compute.request(
    'trainer.merge',
    { modelPath: nano, adapters: untouched, outputPath: single, weightType: 'F32' },
    { signal: options.signal },
  )
  for (const [modelPath, mean] of [
    [nano, 4e-3],
    [single, 1e-3],
  ] as const) {
    for (const make of [exportComposed, exportPeft, exportMerged]) {
      const { parity } = await make({ modelPath, adapters }, fresh('nano'), options)
      expect(parity.mean).toBeLessThan(mean)
      expect(parity.effect / parity.mean).toBeGreaterThan(50)
    }
  }
})

// ------------------------------------------------------------------------------------------------ refusals

/** Flips the highest bit of an exponent in the middle of a tensor. */
function flipWeight(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes[offset + 3]! ^= 0x40
  writeFileSync(path, bytes)
}

test('an export with one damaged weight is refused with the difference, and no file is left', async () => {
  const modelPath = model(shapes['llama']!)
  const adapters = stackFor(modelPath)
  const reference = { modelPath, adapters }
  const damage = async (written: string): Promise<void> => {
    const tensor = readGgufFile(written).tensors.find(({ name }) => name === 'blk.0.ffn_up.weight.lora_a')!
    flipWeight(written, tensor.offset + Math.floor(tensor.bytes / 8) * 4)
  }
  const making = (target: string, hash: 'before' | 'after'): Making => ({
    ...{ target, kind: 'file', reference, measure: 'adapters' },
    make: async (path, scratch) => {
      const { sha256, bytes } = await exportComposed(reference, join(scratch, 'whole.gguf'), options)
      cpSync(join(scratch, 'whole.gguf'), path)
      await damage(path)
      return { sha256: hash === 'before' ? sha256 : sha256Of(path), bytes }
    },
    weightsIn: (path) => path,
    serve: async (path) => ({ modelPath, adapters: [{ path, scale: 1 }] }),
  })
  const before = readdirSync(folder)
  // A disk that changes a bit is found by the hash, a mistake in what is written by what llama.cpp makes of it.
  await expect(exportChecked(making(at('damaged.gguf'), 'before'), options)).rejects.toMatchObject({
    code: 'corrupt_file',
  })
  const refusal = await exportChecked(making(at('damaged.gguf'), 'after'), options).then(
    () => undefined,
    (error: unknown) => error as AppError,
  )
  expect(refusal).toMatchObject({ code: 'mismatch', data: { worstAllowed: 1e-3 } })
  expect(refusal!.message).toMatch(/differ by up to .* nats/)
  expect(readdirSync(folder)).toEqual(before)
})

test('a merge that lost its scaling is refused', async () => {
  const modelPath = model(shapes['qwen2']!)
  const adapters = stackFor(modelPath)
  const wrong = adapters.map(({ path, scale }) => ({ path, scale: scale * 0.9 }))
  const making: Making = {
    ...{ target: at('wrong.gguf'), kind: 'file', reference: { modelPath, adapters }, measure: 'weights' },
    make: async (outputPath) =>
      await compute.request(
        'trainer.merge',
        { modelPath, adapters: wrong, outputPath },
        { signal: options.signal },
      ),
    weightsIn: (path) => path,
    serve: async (path) => ({ modelPath: path, adapters: [] }),
  }
  await expect(exportChecked(making, options)).rejects.toMatchObject({ code: 'mismatch' })
  expect(existsSync(at('wrong.gguf'))).toBe(false)
})

test('nothing is overwritten, and what cannot be done is refused before anything is written', async () => {
  const modelPath = model(shapes['qwen2']!)
  const source = { modelPath, adapters: stackFor(modelPath) }
  writeFileSync(at('taken'), 'mine')
  mkdirSync(at('taken-folder'))
  for (const target of [at('taken'), at('taken-folder')])
    for (const make of [exportComposed, exportPeft, exportMerged])
      await expect(make(source, target, options)).rejects.toMatchObject({ code: 'conflict' })
  expect(readFileSync(at('taken'), 'utf8')).toBe('mine')
  await expect(exportComposed(source, at('nowhere', 'x.gguf'), options)).rejects.toMatchObject({
    code: 'not_found',
  })
  const foreign = { ...source, adapters: stackFor(model({ architecture: 'qwen2', embeddingWidth: 128 })) }
  for (const make of [exportComposed, exportPeft, exportMerged])
    await expect(make(foreign, at('foreign'), options)).rejects.toMatchObject({ code: 'mismatch' })
  await expect(exportMerged({ ...source, adapters: [] }, at('foreign'), options)).rejects.toMatchObject({
    code: 'invalid_input',
  })
  expect(
    readdirSync(folder).filter((name) => name.startsWith('foreign') || name.endsWith('.partial')),
  ).toEqual([])
})

test('a trainer that is killed in the middle of a merge leaves nothing behind; the next merge works', async () => {
  const modelPath = model({ architecture: 'llama', layers: 6 })
  const source = { modelPath, adapters: stackFor(modelPath) }
  const target = at('killed.gguf')
  const trainer = () => children.filter((each) => each.entry === entry('trainer')).at(-1)!.child
  const killed = exportMerged(source, target, {
    ...options,
    onProgress: (done) => {
      if (done === 20) trainer().kill()
    },
  })
  await expect(killed).rejects.toMatchObject({ code: 'compute_crashed' })
  expect(readdirSync(folder).filter((name) => name.includes('killed'))).toEqual([])
  expect((await exportMerged(source, target, options)).parity.worst).toBeLessThan(1e-3)
})

test('a merge that is cancelled leaves nothing behind', async () => {
  const modelPath = model({ architecture: 'llama', layers: 6 })
  const controller = new AbortController()
  const cancelled = exportMerged({ modelPath, adapters: stackFor(modelPath) }, at('cancelled.gguf'), {
    ...options,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  })
  await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
  expect(readdirSync(folder).filter((name) => name.includes('cancelled'))).toEqual([])
})
