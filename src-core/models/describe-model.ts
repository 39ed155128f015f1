/** Says of a model's header what a person needs for choosing it, and refuses what is no model that can be run. */
import type { ModelFacts } from '../../src-shared/api/models.ts'
import { AppError } from '../../src-shared/errors.ts'
import { describeGguf } from '../../src-shared/gguf/inspect-report.ts'
import { findNumber, findString } from '../../src-shared/gguf/metadata.ts'
import { readModelSpec } from '../../src-shared/gguf/model-spec.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'
import { memoryFit, type Memory } from './memory-fit.ts'

/**
 * Lets pass what can be generated with, whether it can be trained or not. Throws `invalid_input` (an adapter, a vision
 * part), `unsupported` (a part of a split model), `corrupt_file` (tensors missing or of wrong shape).
 */
export function requireModel(file: GgufFile): void {
  const type = findString(file.metadata, 'general.type') ?? 'model'
  if (type !== 'model') {
    const message = `This file is of type "${type}", not a language model. Give the base model.`
    throw new AppError('invalid_input', message, { type })
  }
  if ((findNumber(file.metadata, 'split.count') ?? 1) > 1) {
    const message =
      'This is one part of a split model. Choose one that is a single file, or merge the parts with "llama-gguf-split --merge".'
    throw new AppError('unsupported', message)
  }
  try {
    readModelSpec(file)
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'unsupported')) throw error // what cannot be trained may still run
  }
}

/** `path` appears in error messages only. Throws what `requireModel` throws. */
export function describeModel(file: GgufFile, path: string, memory: Memory): ModelFacts {
  requireModel(file)
  const report = describeGguf(file, { path, sha256: '' })
  if (report.kind !== 'model') throw new AppError('internal', 'An adapter was taken for a model.')
  const { fileBytes, architecture, parameters, quantization, contextSize, supported } = report
  return {
    sizeBytes: fileBytes,
    architecture,
    parameters,
    quantization,
    contextSize,
    supported,
    memory: memoryFit(file, report, memory),
  }
}
