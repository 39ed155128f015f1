/** Changes of any ranks as one F32 adapter file that llama.cpp, the trainer and PEFT scale alike. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { floatBytes, type Factors } from '../../src-shared/gguf/lora-factors.ts'
import { float32, getString, text } from '../../src-shared/gguf/metadata.ts'
import type { GgufFile, MetadataValue } from '../../src-shared/gguf/types.ts'
import type { StreamedTensor, WrittenFile } from '../../src-shared/gguf/write-file.ts'
import { streamGgufFile } from '../models/gguf-file.ts'

/** What an adapter does to one matrix; `make` is called twice, once for each factor. */
export type Change = Pick<Factors, 'rank' | 'inputs' | 'outputs'> & {
  readonly target: string
  readonly make: () => Factors
}

export type AdapterToWrite = {
  readonly model: GgufFile
  readonly name: string
  readonly notes: readonly (readonly [string, MetadataValue])[] // `selkie.…`
  readonly changes: readonly Change[]
  /** What the factors are multiplied with beside what is in B already; default: nothing, whatever their ranks. */
  readonly loraAlpha?: number
  readonly signal?: AbortSignal
}

/**
 * Writes the file, replacing one that is there. llama.cpp multiplies every pair with alpha / its own rank: alpha is the
 * largest rank, and a B of a lower one has the rest in it. Throws `not_finite`, `disk_full`, `cancelled`.
 */
export async function writeFactors(path: string, adapter: AdapterToWrite): Promise<WrittenFile> {
  const { changes, signal } = adapter
  const alpha = adapter.loraAlpha ?? Math.max(...changes.map(({ rank }) => rank))
  const tensors = changes.flatMap(({ target, rank, inputs, outputs, make }): StreamedTensor[] => {
    const factor = adapter.loraAlpha === undefined ? rank / alpha : 1
    const half = (suffix: string, shape: readonly number[], values: () => Float64Array): StreamedTensor => ({
      name: `${target}.${suffix}`,
      type: 'F32',
      shape,
      data: async function* () {
        await nextTurn() // the host goes on with other work in between
        signal?.throwIfAborted()
        yield floatBytes(target, values())
      },
    })
    return [
      half('lora_a', [inputs, rank], () => make().a),
      half('lora_b', [rank, outputs], () => make().b.map((value) => value * factor)),
    ]
  })
  const metadata: [string, MetadataValue][] = [
    ['general.type', text('adapter')],
    ['general.architecture', text(getString(adapter.model.metadata, 'general.architecture'))],
    ['general.name', text(adapter.name)],
    ['adapter.type', text('lora')],
    ['adapter.lora.alpha', float32(alpha)],
    ...adapter.notes.map(([key, value]): [string, MetadataValue] => [key, value]),
  ]
  return await streamGgufFile(path, { metadata, tensors })
}
