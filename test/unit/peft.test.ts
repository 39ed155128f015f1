/** Adapters from PEFT: whatever is wrong with a folder is said, and no damaged file does harm. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import { openAdapter } from '../../src-core/adapter-files/open-adapter.ts'
import { peftConfig, peftWeights, readPeft, writePeft } from '../../src-core/adapter-files/peft.ts'
import { findRepeatedKey } from '../../src-core/adapter-files/repeated-keys.ts'
import { readSafetensorsHeader, writeSafetensors } from '../../src-core/adapter-files/safetensors.ts'
import { readGgufFile } from '../../src-core/models/gguf-file.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import { memorySource } from '../fixtures/gguf-bytes.ts'
import { randomAdapter } from '../fixtures/make-adapter.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const at = (...names: readonly string[]): string => join(folder, ...names)
let model: GgufFile

beforeAll(async () => {
  const shape = { embeddingWidth: 16, heads: 2, kvHeads: 1, feedForwardWidth: 24, vocabularySize: 354 }
  makeRandomModel(at('model.gguf'), { architecture: 'llama', layers: 2, ...shape })
  model = readGgufFile(at('model.gguf'))
  writeGgufFile(at('adapter.gguf'), randomAdapter(model, { targetModules: ['q', 'k', 'down'] }))
  await writePeft(at('adapter.gguf'), model, at('whole'))
})

let copies = 0
/** A copy of the folder with fields of its configuration changed. */
function copyWith(changes: Readonly<Record<string, unknown>>): string {
  const copy = at(`copy-${copies++}`)
  cpSync(at('whole'), copy, { recursive: true })
  const config = JSON.parse(readFileSync(join(copy, peftConfig), 'utf8')) as object // sound: just written
  writeFileSync(join(copy, peftConfig), JSON.stringify({ ...config, ...changes }))
  return copy
}
const read = async (from: string) => await readPeft(from, model, at('read.gguf'))

/** Tensors for a file of their own, F32 and zero. */
async function folderOf(tensors: Readonly<Record<string, readonly number[]>>): Promise<string> {
  const copy = at(`copy-${copies++}`)
  mkdirSync(copy)
  cpSync(at('whole', peftConfig), join(copy, peftConfig))
  const entries = Object.entries(tensors).map(([name, shape]) => ({
    name,
    shape,
    data: () => new Uint8Array(4 * shape.reduce((product, length) => product * length, 1)),
  }))
  await writeSafetensors(join(copy, peftWeights), entries)
  return copy
}

test('the configuration is what PEFT expects', () => {
  expect(JSON.parse(readFileSync(at('whole', peftConfig), 'utf8'))).toMatchObject({
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: 'random llama',
    r: 4,
    lora_alpha: 8,
    target_modules: ['q_proj', 'k_proj', 'down_proj'],
    rank_pattern: {},
    use_rslora: false,
  })
})

test.each([
  [{ use_dora: true }, 'DoRA'],
  [{ bias: 'lora_only' }, 'biases'],
  [{ modules_to_save: ['lm_head'] }, 'modules_to_save'],
  [{ peft_type: 'LOHA' }, 'LOHA'],
  [{ trainable_token_indices: [1, 2] }, 'embeddings'],
  [{ fan_in_fan_out: true }, 'transposed'],
  [{ init_lora_weights: 'pissa_niter_16' }, 'changed base model'],
  [{ alpha_pattern: { '.*q_proj|k_proj': 3 } }, 'alpha_pattern'],
])('what llama.cpp has no counterpart for is refused: %j', async (changes, words) => {
  const reading = read(copyWith(changes))
  await expect(reading).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining(words),
  })
})

test('a configuration that is none, or lacks its rank, is refused', async () => {
  await expect(read(copyWith({ r: 'four' }))).rejects.toMatchObject({ code: 'corrupt_file' })
  const copy = copyWith({})
  writeFileSync(join(copy, peftConfig), '{"r": 4')
  await expect(read(copy)).rejects.toMatchObject({ code: 'corrupt_file' })
})

const q = (layer: number, half: string): string =>
  `base_model.model.model.layers.${layer}.self_attn.q_proj.lora_${half}.weight`

test('modules, shapes and layers that the model does not have are refused by name', async () => {
  const cases: [Record<string, readonly number[]>, string, string][] = [
    [{ 'base_model.model.lm_head.lora_A.weight': [4, 16] }, 'unsupported', 'lm_head'],
    [{ 'base_model.model.model.layers.0.mlp.experts.lora_A.weight': [4, 16] }, 'unsupported', 'experts'],
    [
      {
        [q(0, 'A')]: [4, 16],
        'base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector': [16],
      },
      'unsupported',
      'DoRA',
    ],
    [{ [q(0, 'A')]: [4, 16] }, 'mismatch', 'one half'],
    [{ [q(0, 'A')]: [4, 16], [q(0, 'B')]: [16, 3] }, 'mismatch', 'does not fit'],
    [{ [q(0, 'A')]: [4, 17], [q(0, 'B')]: [16, 4] }, 'mismatch', 'does not fit'],
    [{ [q(9, 'A')]: [4, 16], [q(9, 'B')]: [16, 4] }, 'mismatch', 'does not fit'],
    [{ [q(0, 'A')]: [0, 16], [q(0, 'B')]: [16, 0] }, 'mismatch', 'does not fit'],
    [{}, 'mismatch', 'no LoRA tensors'],
  ]
  for (const [tensors, code, words] of cases)
    await expect(read(await folderOf(tensors))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    })
  expect(
    readdirSync(folder).filter((name) => name.startsWith('read.gguf') || name.endsWith('.partial')),
  ).toEqual([])
})

test('rsLoRA and alphas of single modules are worked into the file', async () => {
  const scaledBy = async (changes: Readonly<Record<string, unknown>>, target: string): Promise<number> => {
    await readPeft(copyWith(changes), model, at('scaled.gguf'))
    const [scaled, plain] = [at('scaled.gguf'), at('adapter.gguf')].map((path) => openAdapter(path, model))
    const share = scaled!.factors(target).b[0]! / plain!.factors(target).b[0]!
    for (const adapter of [scaled, plain]) adapter!.dispose()
    return share
  }
  expect(await scaledBy({ use_rslora: true }, 'blk.0.attn_q.weight')).toBeCloseTo(2, 6) // √4
  expect(
    await scaledBy({ alpha_pattern: { 'layers.1.self_attn.q_proj': 24 } }, 'blk.1.attn_q.weight'),
  ).toBeCloseTo(3, 6)
  expect(
    await scaledBy({ alpha_pattern: { 'layers.1.self_attn.q_proj': 24 } }, 'blk.0.attn_q.weight'),
  ).toBeCloseTo(1, 6)
  expect(await scaledBy({ alpha_pattern: { down_proj: 4 } }, 'blk.1.ffn_down.weight')).toBeCloseTo(0.5, 6)
})

// ------------------------------------------------------------------------------------------------ damage

test('three thousand damaged safetensors files are read or refused, quickly and by a typed error', () => {
  const whole = new Uint8Array(readFileSync(at('whole', peftWeights)))
  const headerBytes = new DataView(whole.buffer).getUint32(0, true)
  const draw = uniformFloat('safetensors')
  const pick = (count: number): number => Math.floor(draw() * count)
  const outcomes = { fine: 0, refused: 0 }
  for (let index = 0; index < 3000; index++) {
    let bytes = whole.slice()
    if (draw() < 0.2) bytes = bytes.slice(0, pick(bytes.length))
    for (let flips = pick(5); flips > 0 && bytes.length > 0; flips--)
      bytes[pick(Math.min(bytes.length, 8 + headerBytes))] =
        draw() < 0.5 ? pick(256) : '{}[]",:0129eE-'.charCodeAt(pick(14))
    const started = performance.now()
    try {
      readSafetensorsHeader(memorySource(bytes))
      outcomes.fine++
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'corrupt_file' || error.message.length > 500)
        throw new Error(`case ${index}`, { cause: error })
      outcomes.refused++
    }
    expect(performance.now() - started).toBeLessThan(200)
  }
  expect(outcomes.refused).toBeGreaterThan(1500)
  expect(outcomes.fine).toBeGreaterThan(50)
})

test('headers that lie are refused', () => {
  const file = (header: string, data = 0): Uint8Array => {
    const text = new TextEncoder().encode(header)
    const bytes = new Uint8Array(8 + text.length + data)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
    bytes.set(text, 8)
    return bytes
  }
  const tensor = (shape: unknown, offsets: unknown, type = 'F32'): string =>
    JSON.stringify({ dtype: type, shape, data_offsets: offsets })
  const cases: [string, Uint8Array][] = [
    ['an endless header', Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255)],
    ['a list', file('[]')],
    ['null', file('null')],
    ['a hole', file(`{"a":${tensor([1], [4, 8])}}`, 8)],
    ['an overlap', file(`{"a":${tensor([2], [0, 8])},"b":${tensor([1], [4, 8])}}`, 8)],
    ['data beyond the file', file(`{"a":${tensor([2], [0, 8])}}`, 4)],
    ['data that nobody owns', file(`{"a":${tensor([1], [0, 4])}}`, 8)],
    ['another size than the shape', file(`{"a":${tensor([3], [0, 8])}}`, 8)],
    ['a shape that overflows', file(`{"a":${tensor([2 ** 40, 2 ** 40], [0, 8])}}`, 8)],
    ['a negative length', file(`{"a":${tensor([-1], [0, 4])}}`, 4)],
    ['a fraction', file(`{"a":${tensor([0.5], [0, 2])}}`, 2)],
    ['an unknown type', file(`{"a":${tensor([1], [0, 4], 'toString')}}`, 4)],
    ['a name that comes twice', file(`{"a":${tensor([1], [0, 4])},"\\u0061":${tensor([1], [0, 4])}}`, 4)],
    [
      'a field that comes twice',
      file('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4),
    ],
    ['brackets without end', file('['.repeat(100_000))],
  ]
  for (const [what, bytes] of cases)
    expect(() => readSafetensorsHeader(memorySource(bytes)), what).toThrow(
      expect.objectContaining({ code: 'corrupt_file' }),
    )
  expect(readSafetensorsHeader(memorySource(file('{}')))).toEqual([])
})

test('keys are told from values, and the same key in different objects is no repetition', () => {
  expect(findRepeatedKey('{"a":{"a":"a"},"b":["a","a",{"a":1}],"c":"\\"a\\":"}')).toBeUndefined()
  expect(findRepeatedKey('[{"x":1},{"y":1,"y":2}]')).toBe('y')
})

const python = spawnSync('python3', ['-c', 'import json, struct']).status === 0
test.skipIf(!python)('another reader finds the same tensors (skipped without python3)', () => {
  const script = `
import json, struct, sys
data = open(sys.argv[1], 'rb').read()
size = struct.unpack('<Q', data[:8])[0]
header = json.loads(data[8:8 + size])
assert header.pop('__metadata__') == {'format': 'pt'} and (8 + size) % 8 == 0
print(json.dumps(sorted([name, t['dtype'], t['shape'], struct.unpack('<f', data[8 + size + t['data_offsets'][0]:][:4])[0]] for name, t in header.items())))
assert max(t['data_offsets'][1] for t in header.values()) == len(data) - 8 - size`
  const { status, stdout, stderr } = spawnSync('python3', ['-c', script, at('whole', peftWeights)], {
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
  const found = JSON.parse(stdout) as [string, string, number[], number][] // sound: printed by the script above
  expect(found).toHaveLength(12)
  const adapter = openAdapter(at('adapter.gguf'), model)
  for (const [name, type, shape, first] of found) {
    const [, layer, half] = /layers\.(\d)\.mlp\.down_proj\.lora_([AB])\.weight$/.exec(name) ?? []
    expect(type).toBe('F32')
    if (layer === undefined) continue
    const { a, b } = adapter.unscaled(`blk.${layer}.ffn_down.weight`)
    expect([shape, first]).toEqual(half === 'A' ? [[4, 24], a[0]] : [[16, 4], b[0]])
  }
  adapter.dispose()
})
