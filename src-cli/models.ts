/** The work behind `selkie models`: asks the host, shows models as a table or one by one, asks before a download. */
import { createInterface } from 'node:readline/promises'
import type { CatalogueModel, DownloadPreview, MemoryNeed, ModelFacts } from '../src-shared/api/models.ts'
import { AppError } from '../src-shared/errors.ts'
import type { AddFlags, GetFlags } from './commands/models.ts'
import { bytes, table } from './format.ts'
import { given } from './options.ts'
import { runCommand } from './run-command.ts'

type ListFlags = Pick<AddFlags, 'store' | 'json'>

export async function listModels(flags: ListFlags): Promise<void> {
  await runCommand(flags, ({ api }) => api.call('models.list', {}), describeList)
}

export async function addModel(path: string, flags: AddFlags): Promise<void> {
  await runCommand(
    flags,
    ({ api }) => api.call('models.add', { path, ...given({ name: flags.name }) }),
    (model) => `Added as "${model.name}".\n${describeList([model])}`,
  )
}

export async function getModel(reference: string, flags: GetFlags): Promise<void> {
  const request = {
    reference,
    allowHttp: flags.allowHttp ?? false,
    ...given({ name: flags.name, sha256: flags.sha256 }),
  }
  await runCommand(
    flags,
    async ({ api, run, say }) => {
      const preview = await api.call('models.preview', request)
      say(describePreview(preview))
      if (!flags.yes && process.stdin.isTTY) await confirm()
      return await run({ type: 'download', ...request })
    },
    ({ name, path, sha256, verifiedAgainst }) =>
      [
        `Downloaded as "${name}": ${path}`,
        `sha256: ${sha256}${verifiedAgainst === null ? ' (there was none to compare it with)' : ', as ' + verifiedAgainst}`,
      ].join('\n'),
  )
}

/** Throws `cancelled` unless the person says yes. */
async function confirm(): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question('Download it? [y/N] ')
    if (!/^y(es)?$/i.test(answer.trim())) throw new AppError('cancelled', 'Nothing was downloaded.')
  } finally {
    terminal.close()
  }
}

// ------------------------------------------------------------------------------------------------------ texts

function describeList(models: readonly CatalogueModel[]): string {
  if (models.length === 0) return 'There are no models yet. Get one with "selkie models get".'
  const header = [
    'NAME',
    'SIZE',
    'ARCHITECTURE',
    'PARAMETERS',
    'WEIGHTS',
    'CONTEXT',
    'GENERATES',
    'TRAINS',
    'FROM',
  ]
  const rows = models.map((model) =>
    model.status === 'usable'
      ? [model.name, ...columns(model.facts), model.source]
      : [model.name, 'unusable', '', '', '', '', '', '', model.source],
  )
  return [table([header, ...rows]), ...models.flatMap(remarkOn)].join('\n')
}

function columns({
  sizeBytes,
  architecture,
  parameters,
  quantization,
  contextSize,
  memory,
}: ModelFacts): string[] {
  return [
    bytes(sizeBytes),
    architecture,
    millions(parameters),
    quantization ?? 'none',
    String(contextSize ?? 'unknown'),
    memory.generating.verdict,
    memory.training?.verdict ?? 'no',
  ]
}

function remarkOn(model: CatalogueModel): readonly string[] {
  if (model.status === 'unusable') return [`${model.name}: ${model.error.message}`]
  const { supported } = model.facts
  return supported.training ? [] : [`${model.name} cannot be trained: ${supported.reason}`]
}

function describePreview({ name, path, facts, partialBytes, freeDiskBytes }: DownloadPreview): string {
  const { sizeBytes, architecture, parameters, quantization, contextSize, supported, memory } = facts
  const here = partialBytes > 0 ? `, ${bytes(partialBytes)} of it already here` : ''
  return [
    `${name}: ${architecture}, ${millions(parameters)} parameters, ${quantization ?? 'no'} weights, context window ${contextSize ?? 'unknown'}`,
    `size:       ${bytes(sizeBytes)}${here}; ${bytes(freeDiskBytes)} free on the disk`,
    `generating: ${need(memory.generating)}`,
    `training:   ${supported.training ? (memory.training ? need(memory.training) : '') : `no. ${supported.reason}`}`,
    `to:         ${path}`,
  ].join('\n')
}

const verdicts = {
  fits: 'fits into the free memory',
  tight: 'only if other programs are closed',
  'too-large': 'more than this machine has',
} as const satisfies Record<MemoryNeed['verdict'], string>

const need = ({ bytes: size, verdict }: MemoryNeed): string =>
  `about ${bytes(size)} of memory: ${verdicts[verdict]}`

const millions = (count: number): string =>
  count >= 1e9 ? `${(count / 1e9).toFixed(1)} B` : `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} M`
