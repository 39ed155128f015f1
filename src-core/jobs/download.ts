/** The download job: a model from the hub or a link, into the catalogue. */
import type { JobResults } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { JobContext } from './ports.ts'

export async function runDownload(
  spec: JobSpecOf<'download'>,
  { modelDownloads, signal, progress }: JobContext,
): Promise<JobResults['download']> {
  const { type, ...request } = spec
  progress({ type: 'phase', phase: 'downloading' })
  return await modelDownloads.download(request, {
    signal,
    onProgress: (received) => progress({ type, ...received }),
  })
}
