/** What the store keeps about a model that a run uses. */
import { basename } from 'node:path'
import { AppError } from '../../src-shared/errors.ts'
import { describeGguf } from '../../src-shared/gguf/inspect-report.ts'
import type { ModelRecord } from '../../src-shared/records.ts'
import { readGgufFile } from '../models/gguf-file.ts'

/** Throws `invalid_input` for an adapter, and what reading the header throws. */
export function modelRecord(path: string, sha256: string): ModelRecord {
  const report = describeGguf(readGgufFile(path), { path, sha256 })
  if (report.kind === 'adapter')
    throw new AppError('invalid_input', `${path} is an adapter. Give the base model.`, { path })
  return {
    sha256,
    path,
    name: basename(path, '.gguf'),
    architecture: report.architecture,
    quantization: report.quantization ?? 'unknown',
    sizeBytes: report.fileBytes,
    source: 'file',
  }
}
