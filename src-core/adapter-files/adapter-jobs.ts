/** The jobs that take adapters elsewhere and back: finds what they name, then exports or converts it. */
import type { JobResults } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { AdapterRef } from '../../src-shared/api/workbench.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { convertAdapter } from './convert.ts'
import { exportComposed, exportMerged, exportPeft, type ExportOptions } from './export.ts'

export type AdapterJobTools = {
  readonly compute: ComputePort
  /** Each throws `not_found`. */
  readonly resolveModel: (nameOrPath: string) => Promise<string>
  readonly hashModel: (path: string, signal: AbortSignal) => Promise<string>
  readonly findAdapter: (ref: AdapterRef) => { readonly path: string; readonly baseSha256: string }
  readonly findRunModel: (runId: string) => string
}
type Options = {
  readonly signal: AbortSignal
  readonly onProgress: (what: string, done: number, total: number) => void
}
type Placed = { readonly threads?: number; readonly device?: string }

export function createAdapterJobs(tools: AdapterJobTools) {
  const optionsFor = ({ threads, device }: Placed, { signal, onProgress }: Options): ExportOptions => ({
    compute: tools.compute,
    signal,
    onProgress: (done, total) => onProgress('tensors', done, total),
    ...(threads !== undefined && { threads }),
    ...(device !== undefined && { device }),
  })
  return {
    /** Throws `mismatch` for adapters of different models, and as the exports do. */
    async exportAdapter(
      spec: JobSpecOf<'export-adapter'>,
      options: Options,
    ): Promise<JobResults['export-adapter']> {
      const { format, path, weightType } = spec
      if (weightType !== undefined && format !== 'merged')
        throw new AppError('invalid_input', 'Only a merged model has a weight type. Export it as "merged".')
      const found = spec.adapters.map(({ scale, ...ref }) => ({ ref, scale, file: tools.findAdapter(ref) }))
      const [first] = found
      const modelPath = tools.findRunModel(first!.ref.runId) // at least one: checked with the input
      const baseSha256 = await tools.hashModel(modelPath, options.signal)
      for (const { ref, file } of found) {
        if (file.baseSha256 === baseSha256) continue
        const message = `The adapter ${ref.runId}/${ref.key} was trained on another model than ${modelPath}. Export adapters of one model, which must be as it was.`
        throw new AppError('mismatch', message, { baseSha256: file.baseSha256, sha256: baseSha256 })
      }
      const source = {
        modelPath,
        baseSha256,
        adapters: found.map(({ file, scale }) => ({ path: file.path, scale })),
      }
      const placed = optionsFor(spec, options)
      switch (format) {
        case 'gguf':
          return await exportComposed(source, path, placed)
        case 'peft':
          return await exportPeft(source, path, placed)
        case 'merged':
          return await exportMerged(source, path, { ...placed, ...(weightType && { weightType }) })
      }
    },

    async convertAdapter(
      spec: JobSpecOf<'convert-adapter'>,
      options: Options,
    ): Promise<JobResults['convert-adapter']> {
      const modelPath = await tools.resolveModel(spec.model)
      const baseSha256 = await tools.hashModel(modelPath, options.signal)
      const { from, to } = spec
      return await convertAdapter({ modelPath, baseSha256, from, to }, optionsFor(spec, options))
    },
  }
}
