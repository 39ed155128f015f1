/** LoRA adapters as GGUF files that stock llama.cpp loads, with what Selkie knows about their making in `selkie.*` keys. */
import type { LoraConfig } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { checkAdapterFits } from '../../src-shared/gguf/adapter-check.ts'
import { loraPairs, loraRankOf } from '../../src-shared/gguf/lora-tensors.ts'
import { findNumber, float32, flag, text, uint32 } from '../../src-shared/gguf/metadata.ts'
import { fromHalf } from '../../src-shared/gguf/quantize.ts'
import { naming } from '../../src-shared/gguf/open-gguf.ts'
import type { GgufFile, TensorInfo } from '../../src-shared/gguf/types.ts'
import { openGgufFile, writeGgufFile, type WrittenFile } from '../gguf-file.ts'
import { loraScaling, type AdapterPair } from './lora.ts'
import type { ModelSpec } from '../../src-shared/gguf/model-spec.ts'

export type AdapterOrigin = {
  readonly baseSha256: string
  readonly seed: number
  readonly steps: number
  readonly finalLoss: number
}

/** Writes an adapter; it appears under `path` only when complete. Throws `disk_full` and what the system says. */
export function writeAdapter(
  path: string,
  spec: ModelSpec,
  config: LoraConfig,
  pairs: readonly AdapterPair[],
  origin: AdapterOrigin,
): WrittenFile {
  // llama.cpp scales by alpha / rank, so rsLoRA's α/√r is written as the alpha that gives it.
  const alpha = loraScaling(config) * config.loraRank
  return writeGgufFile(path, {
    metadata: [
      ['general.type', text('adapter')],
      ['general.architecture', text(spec.architecture)],
      ['general.name', text('Selkie LoRA adapter')],
      ['adapter.type', text('lora')],
      ['adapter.lora.alpha', float32(alpha)],
      ['selkie.lora.rank', uint32(config.loraRank)],
      ['selkie.lora.alpha', float32(config.loraAlpha)],
      ['selkie.lora.rs', flag(config.rsLora)],
      ['selkie.base.sha256', text(origin.baseSha256)],
      ['selkie.seed', uint32(origin.seed)],
      ['selkie.steps', uint32(origin.steps)],
      ['selkie.final_loss', float32(origin.finalLoss)],
    ],
    tensors: pairs.flatMap(({ tensor, inputs, outputs, a, b }) => [
      {
        name: `${tensor}.weight.lora_a`,
        type: 'F32' as const,
        shape: [inputs, config.loraRank],
        data: bytesOf(a),
      },
      {
        name: `${tensor}.weight.lora_b`,
        type: 'F32' as const,
        shape: [config.loraRank, outputs],
        data: bytesOf(b),
      },
    ]),
  })
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** A pair as an adapter file holds it, and what B·A is multiplied with. */
export type LoadedPair = AdapterPair & { readonly scaling: number }

/**
 * Reads an adapter of the model; `scaling` is llama.cpp's: alpha / rank, or 1 without an alpha.
 * Throws `mismatch`, `corrupt_file`, `unsupported` (weights that are neither F32 nor F16).
 */
export function readAdapter(path: string, model: GgufFile): LoadedPair[] {
  const opened = openGgufFile(path)
  try {
    const { file, source } = opened
    naming(path, () => checkAdapterFits(file, model))
    const values = ({ name, type, offset, bytes }: TensorInfo): Float32Array => {
      const buffer = (): ArrayBuffer => source.read(offset, bytes).slice().buffer
      if (type === 'F32') return new Float32Array(buffer())
      if (type === 'F16') return Float32Array.from(new Uint16Array(buffer()), fromHalf)
      throw new AppError(
        'unsupported',
        `${path}: the adapter's tensor "${name}" is ${type}; the trainer reads F32 and F16 only. Convert the adapter.`,
        { tensor: name },
      )
    }
    const alpha = findNumber(file.metadata, 'adapter.lora.alpha') ?? 0
    return loraPairs(file).map((pair): LoadedPair => {
      const { target, a, b } = pair
      return {
        tensor: target.slice(0, -'.weight'.length),
        inputs: a.shape[0]!,
        outputs: b.shape[1]!,
        a: values(a),
        b: values(b),
        scaling: alpha === 0 ? 1 : alpha / loraRankOf(pair),
      }
    })
  } finally {
    opened.dispose()
  }
}
