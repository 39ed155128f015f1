/** `selkie models`: which models there are, and how to get more. */
import { Command, InvalidArgumentError } from 'commander'
import { file, jsonOption } from '../options.ts'
import { storeOption } from '../store-folder.ts'

type CommonFlags = { readonly store?: string; readonly json?: true }
export type AddFlags = CommonFlags & { readonly name?: string }
export type GetFlags = AddFlags & {
  readonly yes?: true
  readonly sha256?: string
  readonly allowHttp?: true
}

const listExamples = `
Examples:
  selkie models list
  selkie models list --json`

const addExamples = `
Examples:
  selkie models add ~/Downloads/base.gguf
  selkie models add /data/base.gguf --name base --json`

const getExamples = `
Examples:
  selkie models get hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q8_0.gguf
  selkie models get hf:OWNER/REPO/FILE.gguf@REVISION --name mine --yes --json
  selkie models get https://example.org/base.gguf --sha256 HASH

A download that was cut off goes on where it was. Gated models need an access token in the environment variable HF_TOKEN.`

export function modelsCommand(): Command {
  const list = new Command('list')
    .description('the models that are there: bundled, downloaded and added')
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', listExamples)
    .action(async (flags: CommonFlags) => (await import('../models.ts')).listModels(flags))
  const add = new Command('add')
    .description('list a GGUF file under a name; the file stays where it is')
    .argument('<file>', 'a GGUF model', file)
    .option('--name <name>', 'its name (default: the file’s)')
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', addExamples)
    .action(async (path: string, flags: AddFlags) => (await import('../models.ts')).addModel(path, flags))
  const get = new Command('get')
    .description('download a model, after a look at what it is and whether it fits')
    .argument('<reference>', 'hf:OWNER/REPO/FILE[@REVISION] or an https link')
    .option('--name <name>', 'its name (default: the file’s)')
    .option('--yes', 'do not ask before downloading')
    .option('--sha256 <hash>', 'refuse the file unless it has this hash', sha256)
    .option('--allow-http', 'take http links, which anybody on the way can read and change')
    .addOption(storeOption())
    .addOption(jsonOption())
    .addHelpText('after', getExamples)
    .action(async (reference: string, flags: GetFlags) =>
      (await import('../models.ts')).getModel(reference, flags),
    )
  return new Command('models')
    .description('list, add and download models')
    .addCommand(list)
    .addCommand(add)
    .addCommand(get)
}

function sha256(value: string): string {
  const hash = value.toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new InvalidArgumentError('It must be 64 hexadecimal digits.')
  return hash
}
