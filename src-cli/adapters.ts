/** What `selkie adapters` does and prints. */
import type { AdapterList, AdapterRef, AdapterRow, Comparison } from '../src-shared/api/workbench.ts'
import type { AdapterListFlags, ExportFlags } from './commands/adapters.ts'
import type { RunFlags } from './commands/run.ts'
import { loss, oneLine, percent, table } from './format.ts'
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
  await runCommand(
    flags,
    ({ api }) => api.call('adapters.export', { ...ref, path: flags.out }),
    ({ path, sha256 }) => `Written to ${path}\nsha256: ${sha256}`,
  )
}

// ------------------------------------------------------------------------------------------------------ texts

const nameOf = ({ runId, key }: Pick<AdapterRow, 'runId' | 'key'>): string => oneLine(`${runId}/${key}`)

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
