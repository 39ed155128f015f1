/** What `selkie adapters` does and prints. */
import type { JobResults } from '../src-shared/api/job.ts'
import type { AdapterList, AdapterRef, AdapterRow, Comparison } from '../src-shared/api/workbench.ts'
import type { AdapterListFlags, ConvertFlags, ExportFlags } from './commands/adapters.ts'
import type { RunFlags } from './commands/run.ts'
import { bytes, loss, oneLine, percent, table } from './format.ts'
import { given } from './options.ts'
import { runCommand } from './run-command.ts'

export async function listAdapters(flags: AdapterListFlags): Promise<void> {
  const { run, kind, kept = false, search, sort, ascending = false, limit } = flags
  await runCommand(
    flags,
    ({ api }) =>
      api.call('adapters.page', {
        ...{ offset: 0, limit, search, keptOnly: kept, sort },
        direction: ascending ? 'ascending' : 'descending',
        ...given({ runId: run, kind }),
      }),
    describeList,
  )
}

export async function compareAdapters(adapters: readonly AdapterRef[], flags: RunFlags): Promise<void> {
  await runCommand(flags, ({ api }) => api.call('adapters.compare', { adapters }), describeComparison)
}

export async function exportAdapter(ref: AdapterRef, flags: ExportFlags): Promise<void> {
  const { format, out: path, type: weightType, threads, device } = flags
  if (format === 'gguf') return await copyAdapter(ref, flags)
  await runCommand(
    flags,
    ({ run }) =>
      run({
        type: 'export-adapter',
        adapters: [{ ...ref, scale: 1 }],
        ...{ format, path },
        ...given({ weightType, threads, device }),
      }),
    describeExport,
  )
}

/** The file as it is in the store, byte for byte. */
async function copyAdapter(ref: AdapterRef, flags: ExportFlags): Promise<void> {
  await runCommand(
    flags,
    ({ api }) => api.call('adapters.export', { ...ref, path: flags.out }),
    ({ path, sha256 }) => `Written to ${path}\nsha256: ${sha256}`,
  )
}

export async function convertAdapter(from: string, to: string, flags: ConvertFlags): Promise<void> {
  const { model, threads, device } = flags
  await runCommand(
    flags,
    ({ run }) => run({ type: 'convert-adapter', model, from, to, ...given({ threads, device }) }),
    describeExport,
  )
}

// ------------------------------------------------------------------------------------------------------ texts

const nameOf = ({ runId, key }: Pick<AdapterRow, 'runId' | 'key'>): string => oneLine(`${runId}/${key}`)

function describeExport({ path, sha256, bytes: size, parity }: JobResults['convert-adapter']): string {
  const compared =
    parity === null
      ? 'llama.cpp runs it; there was nothing to compare it with'
      : `llama.cpp's log-probabilities over ${parity.tokens} tokens differ by ${parity.worst.toExponential(1)} at most, ` +
        `${parity.mean.toExponential(1)} on average (allowed: ${parity.limit.worst.toExponential(1)}, ${parity.limit.mean.toExponential(1)})`
  return `Written to ${path} (${bytes(size)})\nsha256: ${sha256}\n${compared}`
}

function describeList({ total, rows }: AdapterList): string {
  if (total === 0) return 'There are none. Runs make them: start one with "selkie demo".'
  const header = ['adapter', 'task', 'reward', 'steps', 'loss', 'file']
  const lines = rows.map((row) => [
    nameOf(row),
    oneLine(row.taskTitle ?? ''),
    row.reward?.toFixed(3) ?? '',
    String(row.steps),
    row.finalLoss === null ? '' : loss(row.finalLoss),
    row.isKept ? 'kept' : row.status === 'failed' ? 'failed' : 'not kept',
  ])
  const more = total > rows.length ? [`${rows.length} of ${total}; --limit shows more.`] : []
  return [table([header, ...lines]), ...more].join('\n')
}

function describeComparison({ adapters, differences, weights }: Comparison): string {
  const names = adapters.map(({ row }) => nameOf(row))
  const letters = names.map((_, index) => String.fromCharCode(65 + index))
  const rows = [
    ...differences.map(({ field, values }) => [field, ...values.map(oneLine)]),
    ['correct answers', ...adapters.map(correctAnswers)],
    ['final loss', ...adapters.map(({ row }) => (row.finalLoss === null ? '' : loss(row.finalLoss)))],
  ]
  return [
    ...names.map((name, index) => `${letters[index]}  ${name}`),
    '',
    table([['', ...letters], ...rows]),
    '',
    weights === null
      ? 'Weights: fewer than two of the files were kept, so there is nothing to compare.'
      : describeWeights(
          weights,
          letters.filter((_, index) => adapters[index]!.row.isKept),
        ),
  ].join('\n')
}

function correctAnswers({ outcomes }: Comparison['adapters'][number]): string {
  const graded = outcomes.filter(({ answer }) => answer.verdict !== 'ungraded')
  const correct = graded.filter(({ answer }) => answer.verdict === 'correct')
  return graded.length === 0 ? '' : `${correct.length} of ${graded.length}`
}

/** `letters`: of the adapters that have files. */
function describeWeights(
  { norms, cosine, overlap }: NonNullable<Comparison['weights']>,
  letters: readonly string[],
): string {
  const length = (tables: readonly (readonly (number | null)[])[]): number =>
    Math.sqrt(tables.flat().reduce<number>((sum, norm) => sum + (norm ?? 0) ** 2, 0))
  return table([
    [
      'weights',
      '|ΔW|',
      ...letters.map((each) => `cosine ${each}`),
      ...letters.map((each) => `overlap ${each}`),
    ],
    ...letters.map((letter, index) => [
      letter,
      length(norms[index]!).toFixed(3),
      ...cosine[index]!.map((value) => value.toFixed(3)),
      ...overlap[index]!.map(percent),
    ]),
  ])
}
