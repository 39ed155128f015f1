/** What `selkie mind` does and prints. */
import { readFile } from 'node:fs/promises'
import { basename, extname, resolve } from 'node:path'
import type { JobSpecOf } from '../src-shared/api/job-spec.ts'
import type { Blame, MindAnswer, MindJobResults, MindRow, MindView } from '../src-shared/api/minds.ts'
import { AppError } from '../src-shared/errors.ts'
import {
  defaultBudget,
  type Budget,
  type Cost,
  type Edit,
  type Measurement,
  type MergeCost,
  type MindEvent,
} from '../src-shared/minds/mind.ts'
import { shareOf } from '../src-shared/minds/forgetting.ts'
import type { AskFlags, BlameFlags, ExportFlags, LearnFlags, NewFlags, PruneFlags } from './commands/mind.ts'
import type { RunFlags } from './commands/run.ts'
import { bytes, oneLine, percent, table } from './format.ts'
import { given } from './options.ts'
import { runCommand } from './run-command.ts'

type BudgetFlags = {
  readonly minGain?: number
  readonly maxForgetting?: number
  readonly maxGeneralLoss?: number
}

/** Undefined if no flag says anything about it. */
function budgetOf(
  { minGain, maxForgetting, maxGeneralLoss }: BudgetFlags,
  otherwise: Budget = defaultBudget,
): Budget | undefined {
  const wanted = given({
    minGainPoints: minGain,
    maxForgettingPoints: maxForgetting,
    maxGeneralLossPoints: maxGeneralLoss,
  })
  return Object.keys(wanted).length === 0 ? undefined : { ...otherwise, ...wanted }
}

export async function newMind(name: string, flags: NewFlags): Promise<void> {
  const { model, recipe, strategy, general, generalTaskset, seed } = flags
  await runCommand(
    flags,
    ({ api }) =>
      api.call('minds.create', {
        ...{ name, strategy, recipe },
        model: /[/\\]|\.gguf$/i.test(model) ? resolve(model) : model, // a name, or a path that holds from anywhere
        ...given({ budget: budgetOf(flags), seed }),
        ...(!general && { general: null }),
        ...(general &&
          generalTaskset !== undefined && {
            general: { taskset: generalTaskset, split: 'validation', tasks: 6 },
          }),
      }),
    ({ id }) => `Mind ${id}. Teach it with "selkie mind learn ${id} --task …".`,
  )
}

export async function listMinds(flags: RunFlags): Promise<void> {
  await runCommand(flags, ({ api }) => api.call('minds.list', {}), describeList)
}

export async function showMind(id: string, flags: RunFlags): Promise<void> {
  await runCommand(flags, ({ api }) => api.call('minds.view', { id }), describeMind)
}

export async function learnLesson(mindId: string, flags: LearnFlags): Promise<void> {
  await runCommand(
    flags,
    async ({ api, run }) => {
      const { mind } = await api.call('minds.view', { id: mindId })
      return await run({
        ...{ type: 'mind-learn', mindId, lesson: await lessonOf(flags) },
        ...given({ samples: flags.samples, budget: budgetOf(flags, mind.config.budget) }),
      })
    },
    ({ edit }) => describeEdit(edit, mindId),
  )
}

type Lesson = JobSpecOf<'mind-learn'>['lesson']

/** Throws `invalid_input` unless exactly one thing is to be learned. */
async function lessonOf({ task, again, passageFile, title, questions }: LearnFlags): Promise<Lesson> {
  if ([task, again, passageFile].filter((each) => each !== undefined).length !== 1)
    throw new AppError('invalid_input', 'Say what to learn: give one of --task, --passage-file and --again.')
  if (task !== undefined) return { type: 'task', taskId: task }
  if (again !== undefined) return { type: 'again', editId: again }
  const path = passageFile!
  return {
    type: 'passage',
    title: title ?? basename(path, extname(path)).replace(/[-_]+/g, ' '),
    passage: await readFile(path, 'utf8'),
    questions: questions === undefined ? [] : await readQuestions(questions),
  }
}

type Question = Extract<Lesson, { readonly type: 'passage' }>['questions'][number]

/** The host checks what is in them. Throws `invalid_input` for what is no list in JSON. */
async function readQuestions(path: string): Promise<readonly Question[]> {
  const form = `Write a list: [{"question": "…", "referenceAnswer": "…"}].`
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new AppError('invalid_input', `${path} is not JSON (${error.message}). ${form}`, { path })
  }
  if (!Array.isArray(value)) throw new AppError('invalid_input', `${path} is no list. ${form}`, { path })
  // Sound: the host checks what is in them.
  return value.map((item: object) => ({ aliases: [], ...item }) as unknown as Question)
}

export async function askMind(mindId: string, question: string, flags: AskFlags): Promise<void> {
  const { title, versions } = flags
  await runCommand(
    flags,
    ({ run }) => run({ type: 'mind-ask', mindId, title, question, ...given({ versions }) }),
    ({ answers }) => describeAnswers(answers),
  )
}

export async function blameEdits(mindId: string, question: string, flags: BlameFlags): Promise<void> {
  const { title, answer } = flags
  await runCommand(
    flags,
    ({ run }) => run({ type: 'mind-blame', mindId, title, question, ...given({ answer }) }),
    describeBlame,
  )
}

export async function changeMind(
  mindId: string,
  change: JobSpecOf<'mind-change'>['change'],
  flags: RunFlags,
): Promise<void> {
  await runCommand(
    flags,
    ({ run }) => run({ type: 'mind-change', mindId, change }),
    ({ version, event }) => `Version ${version}: ${describeChange(event)}`,
  )
}

export async function pruneMind(mindId: string, flags: PruneFlags): Promise<void> {
  const { keep, rank } = flags
  await runCommand(
    flags,
    async ({ run }) => {
      if ((keep === undefined) === (rank === undefined))
        throw new AppError('invalid_input', 'Say how small: give either --keep or --rank.')
      const change =
        keep === undefined ? { type: 'merge' as const, rank: rank! } : { type: 'prune' as const, keep }
      return await run({ type: 'mind-change', mindId, change })
    },
    ({ version, event }) => `Version ${version}: ${describeChange(event)}`,
  )
}

export async function revertEdit(mindId: string, editId: string, flags: RunFlags): Promise<void> {
  await runCommand(flags, ({ run }) => run({ type: 'mind-revert', mindId, editId }), describeRevert)
}

export async function measureMind(mindId: string, flags: RunFlags): Promise<void> {
  await runCommand(
    flags,
    ({ run }) => run({ type: 'mind-measure', mindId }),
    ({ version, event }) => `Version ${version}: ${describeChange(event)}`,
  )
}

export async function forkMind(
  id: string,
  { name, version, ...flags }: RunFlags & { readonly name: string; readonly version?: number },
): Promise<void> {
  await runCommand(
    flags,
    ({ api }) => api.call('minds.fork', { id, name, ...given({ version }) }),
    (fork) =>
      `Mind ${fork.id} begins as ${id} ${version === undefined ? 'is' : `was at version ${version}`}.`,
  )
}

export async function exportMind(mindId: string, flags: ExportFlags): Promise<void> {
  await runCommand(
    flags,
    async ({ run }) => await run({ type: 'mind-export', mindId, what: whatToExport(flags), path: flags.out }),
    ({ path, sha256, sizeBytes, parity }) =>
      [
        `Written to ${path} (${bytes(sizeBytes)})`,
        ...(sha256 === null ? [] : [`sha256: ${sha256}`]),
        `Log-probabilities of ${parity.tokens} tokens differ by ${parity.maxDifference.toExponential(1)} at the most (above ${parity.bound.toExponential(1)} would be refused).`,
      ].join('\n'),
  )
}

function whatToExport({ edit, stack, merged, format, type }: ExportFlags): JobSpecOf<'mind-export'>['what'] {
  if ([edit, stack, merged].filter((each) => each !== undefined).length !== 1)
    throw new AppError('invalid_input', 'Say what to export: give one of --edit, --stack and --merged.')
  if (edit !== undefined) return { type: 'edit', editId: edit, format }
  return stack ? { type: 'stack', format } : { type: 'model', ...given({ weightType: type }) }
}

// ------------------------------------------------------------------------------------------------------ texts

const accuracy = (value: number | null): string => (value === null ? 'not measured' : percent(value))

function describeList(rows: readonly MindRow[]): string {
  if (rows.length === 0) return 'There is no mind yet. Make one with "selkie mind new NAME".'
  return table([
    ['id', 'name', 'model', 'strategy', 'edits', 'on', 'held', 'accuracy'],
    ...rows.map((row) => [
      row.id,
      oneLine(row.name),
      oneLine(row.modelName),
      row.strategy,
      ...[row.edits, row.active, row.held].map(String),
      accuracy(row.average),
    ]),
  ])
}

function describeMind({ mind, modelName, state, events, matrix }: MindView): string {
  const merged = new Set(state.merge?.parts.map(({ editId }) => editId))
  const edits = state.edits.map(({ edit, isEnabled, scale }) => {
    const row = matrix.editIds.indexOf(edit.id)
    const cell = (share: number | null | undefined): string => accuracy(share ?? null)
    return [
      `  ${edit.id}`,
      oneLine(edit.task.title),
      isEnabled ? `on at ${scale.toFixed(2)}${merged.has(edit.id) ? ', merged' : ''}` : 'off',
      edit.gate.status,
      cell(shareOf(matrix.matrix.baseline[row] ?? null)),
      cell(shareOf(matrix.matrix.rows[row]?.[row] ?? null)),
      cell(shareOf(matrix.matrix.rows.at(-1)?.[row] ?? null)),
    ]
  })
  const { final, diagonal, backwardTransfer, forgetting } = matrix.metrics
  return [
    `Mind ${mind.id} (${oneLine(mind.name)}): ${oneLine(modelName)}, ${mind.config.strategy}, version ${state.version}`,
    table([['  edit', 'passage', 'now', 'gate', 'before', 'learned', 'at last'], ...edits]),
    `accuracy at last ${accuracy(final)}, just learned ${accuracy(diagonal)}, forgetting ${accuracy(forgetting)}, backward transfer ${accuracy(backwardTransfer)}`,
    ...state.reverted.map(
      ({ edit, certificate, version }) =>
        `reverted: ${edit.id} ${oneLine(edit.task.title)} at version ${version}, proof: ${certificate.proof}`,
    ),
    'History',
    ...events.map(
      ({ sequence, atMs, type, editId, note }) =>
        `  ${sequence}  ${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')}  ${[type, editId, oneLine(note)].filter(Boolean).join(' ')}`,
    ),
  ].join('\n')
}

function describeEdit({ id, task, samples, chosen, gate, relearns }: Edit, mindId: string): string {
  const at = gate.scale === 1 ? '' : ` at strength ${gate.scale.toFixed(2)}`
  return [
    `${id}, ${oneLine(task.title)}: ${gate.status}${at}${relearns === null ? '' : `, in place of ${relearns}`}`,
    ...gate.reasons.map((reason) => `  ${reason}`),
    ...gate.tried.map((cost) => `  ${describeCost(cost)}`),
    `The model wrote (${samples.length} samples, this one is learned):`,
    ...samples[chosen]!.text.split('\n').map((line) => `  ${oneLine(line)}`),
    ...(gate.status === 'held'
      ? [
          `It is off. "selkie mind enable ${mindId} ${id}" switches it on all the same, "revert" takes it out.`,
        ]
      : []),
  ].join('\n')
}

function describeCost({ scale, gain, forgetting, generalLoss }: Cost): string {
  const points = (value: number | null): string =>
    value === null ? 'not measured' : `${value.toFixed(1)} points`
  return `at ${scale.toFixed(2)}: gains ${points(gain)}, earlier passages lose ${points(forgetting)}, general ability loses ${points(generalLoss)}`
}

function describeAnswers(answers: readonly MindAnswer[]): string {
  return table([
    ['version', 'edits on', 'answer'],
    ...answers.map(({ version, active, text }) => [
      String(version),
      active.join(' ') || 'none',
      oneLine(text) || '(nothing)',
    ]),
  ])
}

function describeBlame({ answer, logProb, edits }: Blame): string {
  return [
    `${oneLine(answer) || '(nothing)'}  (log-probability ${logProb.toFixed(3)})`,
    edits.length === 0
      ? 'No edit is on for this question: the base model says so by itself.'
      : table([
          ['without', 'passage', 'log-probability', 'the edit adds'],
          ...edits.map(({ editId, title, logProb: without, change }) => [
            editId,
            oneLine(title),
            without.toFixed(3),
            `${change >= 0 ? '+' : ''}${change.toFixed(3)} nats`,
          ]),
        ]),
  ].join('\n')
}

function describeChange(event: MindEvent): string {
  switch (event.type) {
    case 'merged': {
      const { parts, form, rank, sizeBytes, keptShare } = event.merge
      const into = form === 'model' ? 'a model' : `an adapter of rank ${rank}`
      const kept = keptShare === null ? '' : `, ${percent(keptShare)} of the change kept`
      return `${parts.length} edits merged into ${into} (${bytes(sizeBytes)}${kept}); ${describePrice(event.cost)}`
    }
    case 'pruned':
      return `switched off: ${event.dropped.join(', ')}; ${describePrice(event.cost)}`
    case 'measured':
      return `${event.measurement.passages.length} passages asked`
    case 'scaled':
      return `${event.editId} at strength ${event.scale.toFixed(2)}`
    case 'moved':
      return `${event.editId} at position ${event.position}`
    case 'enabled':
    case 'disabled':
      return `${event.editId} ${event.type}`
    default:
      return event.type
  }
}

function describePrice({ before, after }: MergeCost): string {
  const correct = ({ passages }: Measurement): string => {
    const answers = passages.flatMap(({ answers }) => answers)
    return `${answers.filter(({ verdict }) => verdict === 'correct').length} of ${answers.length}`
  }
  return `${correct(before)} answers were correct before, ${correct(after)} after`
}

const proofs = {
  recorded: 'Every answer is what this stack answered before, equal to the last bit.',
  rebuilt: 'This stack was put together twice, and both answered alike to the last bit.',
  differs: 'NOT PROVEN: answers differ, see below.',
} as const

function describeRevert({ version, certificate }: MindJobResults['mind-revert']): string {
  const { removed, remaining, proof, differences, lostAgain, regained, learnedOnTop, wasMerged } = certificate
  return [
    `Version ${version}: ${removed.editId} is out${wasMerged ? ', the merge was made again without it' : ''}; ${remaining.length} edits are on.`,
    proofs[proof],
    ...differences.map(
      ({ questionId, was, is }) => `  ${questionId}: "${oneLine(was)}" is now "${oneLine(is)}"`,
    ),
    `Lost again: ${lostAgain.join(', ') || 'nothing'}. Right again: ${regained.join(', ') || 'nothing'}.`,
    ...(learnedOnTop.length > 0
      ? [
          `Learned while it was on: ${learnedOnTop.join(', ')}. "selkie mind learn MIND --again EDIT" learns one again.`,
        ]
      : []),
  ].join('\n')
}
