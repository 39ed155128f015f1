/** A report as one HTML file that loads nothing: its charts are SVG, its script is none. Texts of runs are untrusted. */
import type { ContinualMatrix, EvidenceReport, ReportDifference, ReportRun } from '../api/evidence.ts'
import {
  decimal,
  differenceWords,
  methodsOf,
  percent,
  probability,
  reportWords,
  whole,
  withInterval,
} from './report-words.ts'
import type { TaskWords } from '../task-words.ts'

const signs: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const text = (value: string): string =>
  value.replace(/[^\P{C}\n]/gu, ' ').replace(/[&<>"']/g, (sign) => signs[sign]!)

/** A policy in the file itself: whoever opens it fetches nothing and runs nothing. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

export function reportHtml(report: EvidenceReport): string {
  const { runs, differences, continual, findings } = report
  const title = `Report of ${runs.map(({ name }) => name).join(', ')}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>${text(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${text(title)}</h1>
<h2>Findings</h2>
${findings.length === 0 ? '<p>None.</p>' : `<ul>${findings.map(({ severity, message, rowCount }) => `<li><strong class="${severity}">${severity}</strong> ${text(message)} <small>(${rowCount} rows)</small></li>`).join('\n')}</ul>`}
<h2>Accuracy</h2>
${accuracyChart(runs)}
${accuracyTable(runs)}
${runs.map(armTable).join('\n')}
${differences.length > 0 ? `<h2>Differences</h2>\n${differenceChart(differences)}\n${differenceTable(differences, reportWords(runs))}` : ''}
${continual.map(continualPart).join('\n')}
<h2>Methods</h2>
<ul>${methodsOf(reportWords(runs))
    .map((method) => `<li>${text(method)}</li>`)
    .join('\n')}</ul>
<h2>What it rests on</h2>
${table(
  ['run', 'source', 'model', 'seed', 'Selkie', 'ledger'],
  runs.map(({ id, source, model, seed, codeVersion, ledger }) => [
    id,
    source,
    model,
    seed === null ? 'not recorded' : String(seed),
    codeVersion,
    ledger,
  ]),
)}
${runs.map(({ id, settings }) => `<details><summary>Settings of ${text(id)}</summary><pre>${text(pretty(settings))}</pre></details>`).join('\n')}
</main>
</body>
</html>
`
}

const pretty = (json: string): string => JSON.stringify(JSON.parse(json), null, 2)

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<table><thead><tr>${head.map((cell) => `<th scope="col">${text(cell)}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${text(cell)}</td>`).join('')}</tr>`)
    .join('\n')}</tbody></table>`

function accuracyTable(runs: readonly ReportRun[]): string {
  const { tasks, questions } = reportWords(runs)
  return table(
    [
      'run',
      'macro, 95 % interval',
      'micro',
      tasks,
      questions,
      'empty',
      'ungraded',
      'steps per self-edit',
      'reliability',
      'best of k: in sample',
      'cross-fitted',
      'mean',
      'tied groups',
    ],
    runs.map(({ bestOfK, ...run }) => [
      ...[run.name, withInterval(run.macro), percent(run.micro), whole(run.passages), whole(run.questions)],
      ...[
        whole(run.emptyAnswers),
        whole(run.ungraded),
        whole(run.stepsPerEdit),
        decimal(run.rewardReliability),
      ],
      ...(bestOfK
        ? [
            `${percent(bestOfK.inSample)} of ${bestOfK.k}`,
            percent(bestOfK.crossFitted),
            percent(bestOfK.mean),
            whole(bestOfK.tiedGroups),
          ]
        : ['–', '–', '–', '–']),
    ]),
  )
}

function armTable({ name, arms }: ReportRun): string {
  if (arms.length < 2) return ''
  const rows = arms.map((arm) => [
    arm.name,
    withInterval(arm.macro),
    percent(arm.micro),
    whole(arm.answers),
    whole(arm.emptyAnswers),
    whole(arm.stepsPerEdit),
  ])
  return `<h3>Arms of ${text(name)}</h3>\n${table(['arm', 'macro, 95 % interval', 'micro', 'answers', 'empty', 'steps per self-edit'], rows)}`
}

const differenceTable = (differences: readonly ReportDifference[], { tasks }: TaskWords): string =>
  table(
    ['a − b', 'macro, 95 % interval', 'over', 'p', 'p, corrected', 'shown'],
    differences.map((each) => [
      ...[
        `${each.a} − ${each.b}`,
        differenceWords(each),
        `${each.passages} ${tasks}, ${each.paired ? 'paired' : 'not paired'}`,
      ],
      ...[probability(each.pValue), probability(each.pCorrected), each.verdict],
    ]),
  )

// ---------------------------------------------------------------------------------------------- charts

type Bar = { readonly name: string; readonly value: number; readonly low: number; readonly high: number }

/** Points with their intervals on one scale. Names stand left, the scale below. */
function intervalChart(
  label: string,
  bars: readonly Bar[],
  from: number,
  to: number,
  unit: (value: number) => string,
): string {
  const [left, width, rowHeight] = [220, 520, 26]
  const height = bars.length * rowHeight + 30
  const x = (value: number): string => (left + ((value - from) / (to - from)) * width).toFixed(1)
  const ticks = Array.from({ length: 6 }, (_, index) => from + ((to - from) * index) / 5)
  return `<svg role="img" aria-label="${text(label)}" viewBox="0 0 ${left + width + 40} ${height}">
${ticks.map((tick) => `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="4" y2="${height - 24}"/><text class="tick" x="${x(tick)}" y="${height - 8}">${text(unit(tick))}</text>`).join('\n')}
${from < 0 && to > 0 ? `<line class="zero" x1="${x(0)}" x2="${x(0)}" y1="4" y2="${height - 24}"/>` : ''}
${bars
  .map(({ name, value, low, high }, index) => {
    const y = index * rowHeight + 18
    return `<text class="name" x="${left - 10}" y="${y + 4}">${text(name.length > 28 ? `${name.slice(0, 27)}…` : name)}</text><line class="bar" x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}"/><circle cx="${x(value)}" cy="${y}" r="4.5"/>`
  })
  .join('\n')}
</svg>`
}

function accuracyChart(runs: readonly ReportRun[]): string {
  const bars = runs.flatMap(({ name, macro: { value, low, high } }) =>
    value === null || low === null || high === null ? [] : [{ name, value, low, high }],
  )
  if (bars.length === 0) return ''
  const top = Math.min(1, Math.ceil(Math.max(...bars.map(({ high }) => high)) * 10) / 10) || 1
  return intervalChart('Macro accuracy of every run with its 95 % interval', bars, 0, top, (value) =>
    percent(value, 0),
  )
}

function differenceChart(differences: readonly ReportDifference[]): string {
  const bars = differences
    .slice(0, 40)
    .map(({ a, b, mean, low, high }) => ({ name: `${a} − ${b}`, value: mean, low, high }))
  const reach = Math.max(
    0.05,
    Math.ceil(Math.max(...bars.flatMap(({ low, high }) => [-low, high])) * 20) / 20,
  )
  return intervalChart(
    'Differences with their 95 % intervals',
    bars,
    -reach,
    reach,
    (value) => `${Math.round(100 * value)}`,
  )
}

function continualPart({
  name,
  sequences,
  passages,
  mean,
  before,
  justLearned,
  atTheEnd,
}: ContinualMatrix): string {
  const cell = (value: number | null): string =>
    value === null
      ? '<td class="unmeasured" title="not measured">·</td>'
      : `<td style="background:rgb(11 107 102 / ${(0.7 * value).toFixed(2)})">${(100 * value).toFixed(0)}</td>`
  const head = Array.from({ length: passages }, (_, passage) => `<th scope="col">${passage + 1}</th>`).join(
    '',
  )
  return `<h2>${text(name)}: learning one passage after another</h2>
<p>${whole(sequences)} sequences of ${passages} passages. Before: ${percent(before)}; just learned: ${percent(justLearned)}; at the end: ${percent(atTheEnd)}. A dot was never measured.</p>
<table class="matrix"><thead><tr><th scope="col">after</th>${head}</tr></thead><tbody>${mean.map((row, after) => `<tr><th scope="row">${after === 0 ? 'nothing' : after}</th>${row.map(cell).join('')}</tr>`).join('\n')}</tbody></table>`
}

const style = `
:root{color-scheme:light dark;--ink:#17211f;--quiet:#54615d;--line:#dbe2df;--paper:#fff;--accent:#0b6b66;--bad:#a3332a;--warn:#80500a}
@media(prefers-color-scheme:dark){:root{--ink:#e4ebe8;--quiet:#a3b1ac;--line:#2e3a36;--paper:#111716;--accent:#5cc5bb;--bad:#f19a90;--warn:#e6b565}}
body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:1100px;margin:0 auto;padding:24px}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}h3{font-size:1rem}
main{overflow-wrap:anywhere}
table{display:block;overflow-x:auto;overflow-wrap:normal;border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:4px 8px;text-align:start;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--quiet);font-weight:600}.matrix{width:auto}.matrix td{text-align:center;min-width:3rem}.unmeasured{color:var(--quiet)}
.error{color:var(--bad)}.warning{color:var(--warn)}.note,small{color:var(--quiet)}
svg{max-width:100%;height:auto}.grid{stroke:var(--line)}.zero{stroke:var(--quiet);stroke-dasharray:3 3}
.bar{stroke:var(--accent);stroke-width:3}circle{fill:var(--accent)}
.name{text-anchor:end;font-size:13px;fill:var(--ink)}.tick{text-anchor:middle;font-size:11px;fill:var(--quiet)}
pre{white-space:pre-wrap;font-size:12px}
@media print{main{max-width:none}}
`
