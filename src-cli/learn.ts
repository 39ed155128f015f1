/** What `selkie learn` does and prints. */
import { readFile } from 'node:fs/promises'
import { basename, extname, resolve } from 'node:path'
import type { LedgerRow } from '../src-shared/records.ts'
import { selfEditText } from '../src-shared/self-edit-prompts.ts'
import { AppError } from '../src-shared/errors.ts'
import type { LearnFlags } from './commands/learn.ts'
import { followRun } from './follow-run.ts'
import { runCommand, type CommandTools } from './run-command.ts'

type Learned = {
  readonly runId: string
  readonly question: string
  readonly before: { readonly text: string; readonly verdict: string }
  readonly selfEdit: string
  readonly sequences: readonly string[]
  readonly after: { readonly text: string; readonly verdict: string }
  readonly adapterSha256: string
}

const bundledModel = 'selkie-nano'
const knowsOnlyCountries = `${bundledModel} knows short passages about countries and nothing else. For other texts get a larger model
("selkie models get hf:OWNER/REPO/FILE.gguf") and give it with --model.`

export async function learn(flags: LearnFlags): Promise<void> {
  await runCommand(flags, (tools) => learned(flags, tools), describe)
}

async function learned(flags: LearnFlags, tools: CommandTools): Promise<Learned> {
  const { passageFile, question, answer, model, recipe, seed } = flags
  const passage = await readFile(passageFile, 'utf8')
  const title = flags.title ?? basename(passageFile, extname(passageFile)).replace(/[-_]+/g, ' ')
  const { api } = tools
  if (model === bundledModel) tools.say(knowsOnlyCountries)
  const { run } = await followRun(tools, () =>
    api.call('runs.learn', {
      model: /[/\\]|\.gguf$/i.test(model) ? resolve(model) : model, // a name, or a path that holds from anywhere
      title,
      passage,
      question,
      recipe,
      seed,
      ...(answer !== undefined && { answer }),
    }),
  )
  if (run.status !== 'done')
    throw new AppError('cancelled', `Run ${run.id} is ${run.status}: there is no answer to show yet.`, {
      runId: run.id,
    })
  const rows = await api.call('runs.rows', { id: run.id, of: 'candidate', key: 'policy-0/passage/0' })
  const candidate = only(rows, 'candidates')
  const trial = only(rows, 'trials')
  const after = only(rows, 'answers')
  const before = only(await api.call('runs.rows', { id: run.id, of: 'arm', key: 'frozen' }), 'answers')
  return {
    runId: run.id,
    question,
    before: { text: before.text, verdict: before.verdict },
    selfEdit: selfEditText(candidate.promptKey, candidate.text),
    sequences: trial.sequences,
    after: { text: after.text, verdict: after.verdict },
    adapterSha256: trial.adapterSha256 ?? '',
  }
}

type RowOf<T extends LedgerRow['table']> = Extract<LedgerRow, { readonly table: T }>

function only<T extends LedgerRow['table']>(rows: readonly LedgerRow[], table: T): RowOf<T> {
  const row = rows.find((each): each is RowOf<T> => each.table === table)
  if (!row) throw new AppError('compute_crashed', 'The self-edit could not be tried. Look at the run.')
  return row
}

function describe({ runId, question, before, selfEdit, sequences, after, adapterSha256 }: Learned): string {
  return [
    question,
    `  before: ${before.text || '(nothing)'} (${before.verdict})`,
    'The model wrote:',
    ...selfEdit.split('\n').map((line) => `  ${line}`),
    `It trained on ${sequences.length} texts.`,
    `  after:  ${after.text || '(nothing)'} (${after.verdict})`,
    `Run ${runId}, adapter ${adapterSha256.slice(0, 12)}; "selkie show candidate policy-0/passage/0 --run ${runId}" shows all of it.`,
  ].join('\n')
}
