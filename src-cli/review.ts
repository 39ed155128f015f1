/** What `selkie review` does and prints. */
import { AppError } from '../src-shared/errors.ts'
import type { ReviewFlags } from './commands/review.ts'
import { runCommand } from './run-command.ts'

export async function review(id: string, candidateId: string, flags: ReviewFlags): Promise<void> {
  const { verdict = null, note } = flags
  await runCommand(
    flags,
    async ({ api }) => {
      if (verdict === null && note.trim() === '')
        throw new AppError('invalid_input', 'There is nothing to keep. Give a --verdict, a --note, or both.')
      return await api.call('runs.review', { id, candidateId, verdict, note })
    },
    (kept) => `Kept: ${[kept.verdict ?? 'a note', kept.note].filter(Boolean).join(', ')}`,
  )
}
