/** Whether what is compared can be compared: steps, settings, passages; and whether a difference was shown at all. */
import type { ReportDifference, ReportFinding, ReportLine, ReportRun } from '../../src-shared/api/evidence.ts'
import { reportWords } from '../../src-shared/report/report-words.ts'
import { taskText, type Task } from '../../src-shared/task.ts'
import { isEvaluated, mainArm, wordsOf, type RunEvidence } from './evidence.ts'
import { finding, points, runRow, taskRow } from './finding.ts'
import { plainOf } from './plain-words.ts'

const unequalFactor = 1.25

export function auditComparison(runs: readonly RunEvidence[], lines: readonly ReportRun[]): ReportFinding[] {
  return [...unequalSteps(lines), ...unequalSettings(runs), ...learnedElsewhere(runs)]
}

/** Between runs by their main arms, and between the arms of a run. */
function unequalSteps(lines: readonly ReportRun[]): ReportFinding[] {
  const compared = lines.filter(({ arm }) => arm !== null && arm !== 'train')
  const between = stepsFinding(
    '',
    compared.map((line) => ({ line, run: line.id })),
    compared.every(({ tasks }) => tasks === 'puzzles'),
  )
  // An arm of equal steps answers the question.
  const open = lines.filter(({ arms }) => !arms.some(({ name }) => name === 'equal-steps'))
  const within = open.flatMap((run) =>
    stepsFinding(
      `/${run.id}`,
      run.arms.filter(({ name }) => isEvaluated(name)).map((line) => ({ line, run: run.id })),
      run.tasks === 'puzzles',
    ),
  )
  return [...between, ...within]
}

type Compared = { readonly line: ReportLine; readonly run: string }

/** `chosen`: the self-edits say how many steps there are. */
function stepsFinding(where: string, all: readonly Compared[], chosen: boolean): ReportFinding[] {
  const known = all.filter(
    (each): each is Compared & { line: { stepsPerEdit: number } } => (each.line.stepsPerEdit ?? 0) > 0,
  )
  const steps = known.map(({ line }) => line.stepsPerEdit)
  if (known.length < 2 || Math.max(...steps) <= unequalFactor * Math.min(...steps)) return []
  const list = known.map(({ line }) => `${line.name} ${Math.round(line.stepsPerEdit)}`).join(', ')
  const found = `The adapters were trained for different numbers of steps (per self-edit: ${list})`
  const message = chosen
    ? `${found}: how long is trained is part of what a self-edit about a puzzle chooses. A difference between arms is one of all that was chosen together.`
    : `${found}: a difference between them may be more training, not better text. Compare with an arm of equal steps.`
  return [
    finding(
      `unequal-steps${where}`,
      chosen ? 'note' : 'warning',
      message,
      [...new Set(known.map(({ run }) => run))].map(runRow),
    ),
  ]
}

/** What may differ without a word: names, and what says which texts were used. */
const namesOnly =
  /^(name|description|seed|timestamp|exp_name|model|dataset|passagesFrom|steps|train_sequences|eval_questions|sequences|lines|taskset|evaluation)\b/

function unequalSettings(runs: readonly RunEvidence[]): ReportFinding[] {
  const comparable = Map.groupBy(
    runs.filter((run) => run.arms.size > 0 && mainArm(run) !== 'train'),
    ({ form }) => form ?? 'own',
  )
  return [...comparable.values()].flatMap((group) => {
    if (group.length < 2) return []
    const flat = group.map(({ settings }) => new Map(fieldsOf(settings)))
    const fields = [...new Set(flat.flatMap((each) => [...each.keys()]))]
    const differing = fields.filter(
      (field) =>
        !namesOnly.test(field) && new Set(flat.map((each) => each.get(field) ?? 'not there')).size > 1,
    )
    if (differing.length === 0) return []
    const shown = differing
      .slice(0, 5)
      .map(
        (field) =>
          `${field}: ${flat.map((each, index) => `${group[index]!.run.id} ${each.get(field) ?? '–'}`).join(', ')}`,
      )
    const more = differing.length > 5 ? ` and ${differing.length - 5} more` : ''
    const message = `The runs differ in ${differing.length} settings beside what is compared (${shown.join('; ')}${more}). A difference between them may come from there.`
    return [
      finding(
        `unequal-settings/${group.map(({ run }) => run.id).join('-')}`,
        'warning',
        message,
        group.map(({ run }) => runRow(run.id)),
      ),
    ]
  })
}

function fieldsOf(value: unknown, path: readonly string[] = []): [string, string][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value).flatMap(([key, inner]) => fieldsOf(inner, [...path, key]))
  return path.length === 0 ? [] : [[path.join('.'), JSON.stringify(value ?? null)]]
}

const plainTextOf = (task: Task | undefined): string => plainOf(task ? taskText(task) : '')

/** Passages that one run of the report learned from and another is tested on. */
function learnedElsewhere(runs: readonly RunEvidence[]): ReportFinding[] {
  const learned = new Map<string, string>()
  for (const { run, candidates, tasks } of runs)
    for (const { candidate } of candidates)
      if (candidate.arm === 'train') learned.set(plainTextOf(tasks.get(candidate.taskId)), run.id)
  return runs.flatMap((evidence) => {
    const { run, arms, tasks } = evidence
    const tested = new Set(
      [...arms]
        .filter(([arm]) => isEvaluated(arm))
        .flatMap(([, answers]) => answers.map(({ taskId }) => taskId)),
    )
    const both = [...tested].filter((id) => {
      const owner = learned.get(plainTextOf(tasks.get(id)))
      return owner !== undefined && owner !== run.id
    })
    if (both.length === 0) return []
    const message = `${run.id} is tested on ${both.length} ${wordsOf(evidence).tasks} that another run of this report learned from. If its policy comes from there, what is measured is memory.`
    return [
      finding(
        `contamination-between/${run.id}`,
        'error',
        message,
        both.map((id) => taskRow(run.id, id)),
      ),
    ]
  })
}

/** No winner inside the noise; and a control that should not win. */
export function auditDifferences(
  runs: readonly RunEvidence[],
  differences: readonly ReportDifference[],
): ReportFinding[] {
  return differences.flatMap((difference) => [
    ...inTheNoise(runs, difference),
    ...controlWins(runs, difference),
  ])
}

function inTheNoise(
  runs: readonly RunEvidence[],
  { a, b, mean, low, high, paired, passages }: ReportDifference,
): ReportFinding[] {
  const ids = new Set(runs.map(({ run }) => run.id))
  const isBetweenRuns = ids.has(a) && ids.has(b)
  const isOfPolicy = /\/policy-[1-9]\d*$/.test(a) && b.endsWith('/policy-0')
  const isOfImport = a.endsWith('/self-edits') && b.endsWith('/frozen')
  if ((!isBetweenRuns && !isOfPolicy && !isOfImport) || low > 0 || high < 0) return []
  const { tasks } = reportWords(runs.map((run) => wordsOf(run)))
  const how = paired ? `paired over ${passages} ${tasks}` : `over different ${tasks}`
  const message = `No difference shown between ${a} and ${b}: ${points(mean)} points, and the 95 % interval from ${points(low)} to ${points(high)} contains zero (${how}). Do not call either better.`
  const rows = [...new Set([a, b].map((name) => name.split('/')[0]!))].filter((id) => ids.has(id)).map(runRow)
  return [finding(`no-difference/${a}-${b}`, 'note', message, rows)]
}

/** Arms that learned from rewards given to the wrong self-edits. */
const isShuffled = (name: string): boolean => /shuffled/.test(name)

function controlWins(
  runs: readonly RunEvidence[],
  { a, b, mean, low, high }: ReportDifference,
): ReportFinding[] {
  const [winner, loser] = low > 0 ? [a, b] : high < 0 ? [b, a] : [null, null]
  if (winner === null || isShuffledArm(runs, loser) || !isShuffledArm(runs, winner)) return []
  const message = `${winner} learned from shuffled rewards and still beats ${loser} by ${points(Math.abs(mean))} points: what helps is not the reward. Look for more training, other prompts or a leak before you credit the loop.`
  return [
    finding(`shuffled-reward-wins/${winner}-${loser}`, 'error', message, [runRow(winner.split('/')[0]!)]),
  ]
}

function isShuffledArm(runs: readonly RunEvidence[], name: string): boolean {
  const run = runs.find(({ run }) => run.id === name)
  return isShuffled(run ? `${run.run.name} ${mainArm(run) ?? ''}` : name)
}
