/** What a job has to know about a model before it starts: read from the file's header, in no time. */
import { describeGguf } from '../../src-shared/gguf/inspect-report.ts'
import type { GgufFile, TensorType } from '../../src-shared/gguf/types.ts'
import { AppError } from '../../src-shared/errors.ts'

export type ModelFacts = {
  readonly contextSize: number // tokens that the model can attend to
  readonly quantization: TensorType | null
}

/** Throws `invalid_input` for an adapter, `corrupt_file` if the header lacks what every model has. */
export function modelFactsOf(path: string, header: GgufFile): ModelFacts {
  const report = describeGguf(header, { path, sha256: '' })
  if (report.kind === 'adapter') {
    throw new AppError('invalid_input', `${path} is an adapter. Give the base model it belongs to.`, { path })
  }
  const { contextSize, quantization } = report
  if (contextSize === null)
    throw new AppError('corrupt_file', `${path} does not say how long its context window is.`, { path })
  return { contextSize, quantization }
}
