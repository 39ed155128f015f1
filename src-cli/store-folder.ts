/** The option that says which folder is the store. */
import { Option } from 'commander'
import { file } from './options.ts'

/** Its value, `store`, is absolute, or undefined if the option was not given; `runCommand` takes it as it is. */
export const storeOption = (): Option =>
  new Option(
    '--store <dir>',
    'the folder where Selkie keeps what it makes (default: $SELKIE_STORE, or the platform’s data folder)',
  ).argParser(file)
