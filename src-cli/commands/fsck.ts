/** `selkie fsck`: is everything in the store as it was written? */
import { Command } from 'commander'
import { jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'
import type { RunFlags } from './run.ts'

export type FsckFlags = RunFlags & { readonly readData?: boolean }

export function fsckCommand(): Command {
  return new Command('fsck')
    .description('check the store: database, hash chains, files')
    .option('--read-data', 'also read every file and compare its hash')
    .addOption(storeOption())
    .addOption(jsonOption())
    .action(async (flags: FsckFlags) => (await import('../runs.ts')).checkStore(flags))
}
