/** Edits, stacks and merged models as files that others can use. */
import type { ExportedMind } from '../../src-shared/api/minds.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { MindReading } from './minds.ts'

export async function exportMind(
  _asked: MindReading,
  _spec: JobSpecOf<'mind-export'>,
): Promise<ExportedMind> {
  throw new AppError('unsupported', 'Exporting is being written.')
}
