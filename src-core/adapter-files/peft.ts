/** Adapters as PEFT keeps them, a folder with `adapter_model.safetensors` and `adapter_config.json`: written and read. */
import { mkdir, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { floatBytes, readFloats, type Factors } from '../../src-shared/gguf/lora-factors.ts'
import { locateTarget, loraRankOf } from '../../src-shared/gguf/lora-tensors.ts'
import { findNumber, findString, text } from '../../src-shared/gguf/metadata.ts'
import { readModelSpec, tensorShapes, type ModelSpec } from '../../src-shared/gguf/model-spec.ts'
import { naming } from '../../src-shared/gguf/open-gguf.ts'
import type { GgufFile, MetadataValue } from '../../src-shared/gguf/types.ts'
import type { WrittenFile } from '../../src-shared/gguf/write-file.ts'
import { targetModules } from '../../src-shared/compute-protocol.ts'
import { openAdapter, type OpenAdapter } from './open-adapter.ts'
import { parsePeftConfig, peftConfigText, peftScaling, type PeftConfig } from './peft-config.ts'
import {
  ggufTarget,
  parsePeftTensor,
  peftModule,
  peftSuffix,
  peftTensor,
  reorderRows,
  type Place,
} from './peft-names.ts'
import {
  openSafetensors,
  writeSafetensors,
  type OpenSafetensors,
  type SafetensorsEntry,
} from './safetensors.ts'
import { writeFactors, type Change } from './write-factors.ts'

export const peftWeights = 'adapter_model.safetensors'
export const peftConfig = 'adapter_config.json'

/**
 * Creates `folder` with the adapter at `path` in it; F32. A and B keep every bit, but for the order of B's rows.
 * Returns the SHA-256 and the size of the weights' file. Throws `mismatch`, `corrupt_file`, `unsupported` (a model
 * other than llama, qwen2, qwen3; matrices outside the layers), `not_finite`, `EEXIST`, `cancelled`.
 */
export async function writePeft(
  path: string,
  model: GgufFile,
  folder: string,
  { baseModel, signal }: { readonly baseModel?: string; readonly signal?: AbortSignal } = {},
): Promise<WrittenFile> {
  const spec = readModelSpec(model)
  const adapter = openAdapter(path, model)
  try {
    const pairs = Array.from(adapter.pairs, ([target, pair]) => ({ place: placeOf(target), target, pair }))
    const ranks = pairs.map(({ pair }) => loraRankOf(pair))
    const rank = Math.max(...ranks)
    await mkdir(folder)
    const tensors = pairs.flatMap(({ place, target, pair }) => {
      const [inputs, outputs] = [pair.a.shape[0] ?? 0, pair.b.shape[1] ?? 1]
      const own = loraRankOf(pair)
      const a = (): Uint8Array => floatBytes(target, adapter.unscaled(target).a)
      const b = (): Uint8Array =>
        floatBytes(target, reorderRows(adapter.unscaled(target).b, own, place, spec, 'peft'))
      return [
        { name: peftTensor(place, 'A'), shape: [own, inputs], data: a },
        { name: peftTensor(place, 'B'), shape: [outputs, own], data: b },
      ]
    })
    const written = await writeSafetensors(join(folder, peftWeights), tensors, signal)
    const facts = {
      baseModel: baseModel ?? findString(model.metadata, 'general.name') ?? '',
      rank,
      alpha: alphaOf(adapter, ranks),
      ranks: Object.fromEntries(
        pairs.flatMap(({ place, pair }) =>
          loraRankOf(pair) === rank ? [] : [[peftModule(place).replace(/^model\./, ''), loraRankOf(pair)]],
        ),
      ),
      targetModules: namesOf(
        pairs.map(({ place }) => place),
        spec.layers,
      ),
    }
    await writeNew(join(folder, peftConfig), peftConfigText(facts))
    return written
  } finally {
    adapter.dispose()
  }
}

/** llama.cpp and PEFT both divide alpha by each pair's own rank; alpha 0 means "do not scale" to llama.cpp alone. */
function alphaOf({ file, path }: OpenAdapter, ranks: readonly number[]): number {
  const alpha = findNumber(file.metadata, 'adapter.lora.alpha') ?? 0
  if (alpha !== 0) return alpha
  if (new Set(ranks).size === 1) return ranks[0]!
  const message = `${path}: the adapter has no alpha, and matrices of different ranks. Put it together anew with "selkie adapters", and export that.`
  throw new AppError('unsupported', message, { path })
}

function placeOf(target: string): Place {
  const { layer, module: name } = locateTarget(target)
  const module = targetModules.find((each) => each === name)
  if (layer !== undefined && module !== undefined) return { layer, module }
  const message = `The adapter changes "${target}", which has no PEFT name here. Export it as GGUF.`
  throw new AppError('unsupported', message, { tensor: target })
}

/** Short names where every layer has the module, else each by its layer. */
function namesOf(places: readonly Place[], layers: number): string[] {
  return targetModules.flatMap((module) => {
    const own = places.filter((place) => place.module === module)
    if (own.length === layers) return [peftSuffix(module)]
    return own.map((place) => peftModule(place).replace(/^model\./, ''))
  })
}

async function writeNew(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

// ------------------------------------------------------------------------------------------------ reading

type Halves = Place & { readonly a: SafetensorsEntry; readonly b: SafetensorsEntry }

const mostConfigBytes = 1_000_000

/**
 * Reads the adapter in `folder` for `model` and writes it as a GGUF file to `target`, replacing one that is there. The
 * weights keep every bit (F16 and BF16 become F32) where one alpha says all of the scaling.
 * Throws `corrupt_file`, `unsupported` (see parsePeftConfig; modules of no known name), `mismatch` (other shapes or
 * layers than the model has), `not_finite`, `not_found`, `disk_full`, `cancelled`.
 */
export async function readPeft(
  folder: string,
  model: GgufFile,
  target: string,
  { baseSha256, signal }: { readonly baseSha256?: string; readonly signal?: AbortSignal } = {},
): Promise<WrittenFile> {
  const spec = readModelSpec(model)
  const configPath = join(folder, peftConfig)
  if ((await stat(configPath)).size > mostConfigBytes)
    throw new AppError('corrupt_file', `${configPath} is far too long. Download the adapter again.`)
  const config = await readFile(configPath, 'utf8').then((json) =>
    naming(configPath, () => parsePeftConfig(json)),
  )
  const weightsPath = join(folder, peftWeights)
  const weights = naming(weightsPath, () => openSafetensors(weightsPath))
  try {
    const changes = naming(weightsPath, () => changesIn(weights, config, spec))
    const alphas = new Set(changes.map(({ scaling, rank }) => Math.fround(scaling * rank)))
    const [alpha] = alphas
    const isUniform = alphas.size === 1 && alpha !== 0
    const notes: [string, MetadataValue][] = [['selkie.imported.from', text('peft')]]
    if (baseSha256 !== undefined) notes.push(['selkie.base.sha256', text(baseSha256)])
    return await writeFactors(target, {
      model,
      name: 'LoRA adapter from PEFT',
      notes,
      changes: changes.map(({ scaling, make, ...change }) => ({
        ...change,
        make: (): Factors => {
          const factors = naming(weightsPath, make)
          return isUniform ? factors : { ...factors, b: factors.b.map((value) => value * scaling) }
        },
      })),
      ...(isUniform && alpha !== undefined && { loraAlpha: alpha }),
      ...(signal && { signal }),
    })
  } finally {
    weights.dispose()
  }
}

/** Every pair checked against the model; `make` leaves the scaling out. */
function changesIn(
  weights: OpenSafetensors,
  config: PeftConfig,
  spec: ModelSpec,
): (Change & { readonly scaling: number })[] {
  const shapes = tensorShapes(spec)
  return pairsIn(weights.tensors).map(({ a, b, ...place }) => {
    const target = ggufTarget(place)
    const [inputs = 0, outputs = 0] = shapes.get(target) ?? []
    const [rank = 0] = a.shape
    const fits = isShape(a, [rank, inputs]) && isShape(b, [outputs, rank]) && rank > 0
    if (!fits) {
      const message = `The pair for "${peftModule(place)}" ([${a.shape.join(', ')}] and [${b.shape.join(', ')}]) does not fit the model's [${outputs}, ${inputs}]. Choose the model it was trained on.`
      throw new AppError('mismatch', message, { tensor: target })
    }
    const make = (): Factors => ({
      rank,
      inputs,
      outputs,
      a: floatsOf(weights, a),
      b: reorderRows(floatsOf(weights, b), rank, place, spec, 'gguf'),
    })
    return { target, rank, inputs, outputs, make, scaling: peftScaling(config, peftModule(place), rank) }
  })
}

const isShape = ({ shape }: SafetensorsEntry, expected: readonly number[]): boolean =>
  shape.length === expected.length && shape.every((length, axis) => length === expected[axis])

function floatsOf(weights: OpenSafetensors, entry: SafetensorsEntry): Float64Array {
  const { name, type } = entry
  if (type === 'F32' || type === 'F16' || type === 'BF16')
    return readFloats({ name, type }, weights.read(entry))
  const message = `The tensor "${name}" is ${type}. Only F32, F16 and BF16 can be read: save the adapter in one of them.`
  throw new AppError('unsupported', message, { tensor: name, type })
}

/** In the order of layers and modules. */
function pairsIn(tensors: readonly SafetensorsEntry[]): Halves[] {
  const halves = new Map<string, { place: Place; a?: SafetensorsEntry; b?: SafetensorsEntry }>()
  for (const tensor of tensors) {
    const found = parsePeftTensor(tensor.name)
    if (!found) throw strange(tensor.name)
    const { half, ...place } = found
    const key = ggufTarget(place)
    const known = halves.get(key) ?? { place }
    const side = half === 'A' ? 'a' : 'b'
    if (known[side]) throw new AppError('corrupt_file', `It has the pair of "${peftModule(place)}" twice.`)
    halves.set(key, { ...known, [side]: tensor })
  }
  const pairs = [...halves.values()].map(({ place, a, b }): Halves => {
    if (a && b) return { ...place, a, b }
    const message = `It has only one half of the pair for "${peftModule(place)}". Download the adapter again.`
    throw new AppError('mismatch', message)
  })
  if (pairs.length === 0)
    throw new AppError('mismatch', 'It has no LoRA tensors, so it would change nothing.')
  const order = ({ layer, module }: Halves): number =>
    layer * targetModules.length + targetModules.indexOf(module)
  return pairs.sort((one, other) => order(one) - order(other))
}

function strange(name: string): AppError {
  const shown = JSON.stringify(name.slice(0, 120))
  const reason = name.includes('lora_magnitude_vector')
    ? 'part of a DoRA adapter'
    : /lora_[AB]|lora_embedding/.test(name)
      ? 'for a module that llama.cpp has no adapter for, or of another kind of model'
      : 'no part of a LoRA adapter'
  const message = `The tensor ${shown} is ${reason}. Usable are pairs for ${targetModules.map(peftSuffix).join(', ')}.`
  return new AppError('unsupported', message)
}
