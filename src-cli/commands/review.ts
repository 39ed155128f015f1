/** `selkie review`: keep what a person says of a candidate. */
import { Command, Option } from 'commander'
import { reviewVerdicts, type ReviewVerdict } from '../../src-shared/api/workbench.ts'
import { jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type ReviewFlags = RunFlags & { readonly verdict?: ReviewVerdict; readonly note: string }

const examples = `
Examples:
  selkie review 1f3a9c02 round-0/FRA/2 --verdict approve
  selkie review 1f3a9c02 round-0/FRA/2 --verdict flag --note "The second line is not in the passage."

The last review of a candidate counts; the earlier ones stay.`

export function reviewCommand(): Command {
  return new Command('review')
    .description('approve, reject or flag a candidate, with a note')
    .argument('<run>', 'the run’s id')
    .argument('<candidate>', 'the candidate’s id')
    .addOption(new Option('--verdict <verdict>', 'what you say of it').choices(reviewVerdicts))
    .option('--note <text>', 'why', '')
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (run: string, candidate: string, flags: ReviewFlags) =>
      (await import('../review.ts')).review(run, candidate, flags),
    )
}
