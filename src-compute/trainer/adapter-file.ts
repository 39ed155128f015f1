/** LoRA adapters as GGUF files that stock llama.cpp loads, with what Selkie knows about their making in `selkie.*` keys. */
import type { LoraConfig } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { checkAdapterFits } from '../../src-shared/gguf/adapter-check.ts'
import { loraPairs, loraRankOf } from '../../src-shared/gguf/lora-tensors.ts'
import { float32, flag, getNumber, text, uint32 } from '../../src-shared/gguf/metadata.ts'
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

export type LoadedAdapter = {
  readonly pairs: readonly AdapterPair[]
  /** What B·A is multiplied with: alpha / rank. */
  readonly scaling: number
}

/** Reads an F32 adapter of the model. Throws `mismatch`, `corrupt_file`, `unsupported`. */
export function readAdapter(path: string, model: GgufFile): LoadedAdapter {
  const opened = openGgufFile(path)
  try {
    const { file } = opened
    checkAdapterFits(file, model)
    const values = ({ name, type, offset, bytes }: TensorInfo): Float32Array => {
      if (type !== 'F32')
        throw new AppError(
          'unsupported',
          `The adapter's tensor "${name}" is ${type}; Selkie continues from F32 adapters only.`,
          { tensor: name },
        )
      const data = opened.source.read(offset, bytes)
      return new Float32Array(data.slice().buffer)
    }
    const found = loraPairs(file) // at least one: checked above
    const pairs = found.map(({ target, a, b }): AdapterPair => ({
      tensor: target.slice(0, -'.weight'.length),
      inputs: a.shape[0]!,
      outputs: b.shape[1]!,
      a: values(a),
      b: values(b),
    }))
    return { pairs, scaling: getNumber(file.metadata, 'adapter.lora.alpha') / loraRankOf(found[0]!) }
  } finally {
    opened.dispose()
  }
}
