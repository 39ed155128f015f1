/** A report as Markdown. Texts of runs are untrusted: what would be markup is escaped. */
import type { EvidenceReport } from '../api/evidence.ts'
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

/** Control characters become spaces; pipes, brackets and the rest of Markdown's and HTML's signs are escaped. */
const plain = (text: string): string =>
  text
    .replace(/\p{C}+/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*_[\]|~]/g, (sign) => `\\${sign}`)

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.join(' | ')} |`,
  `|${head.map(() => '---').join('|')}|`,
  ...rows.map((row) => `| ${row.map(plain).join(' | ')} |`),
]

export function reportMarkdown({ runs, differences, continual, findings }: EvidenceReport): string {
  const words = reportWords(runs)
  return [
    `# Report of ${plain(runs.map(({ name }) => name).join(', '))}`,
    '',
    '## Findings',
    '',
    ...(findings.length === 0 ? ['None.'] : []),
    ...findings.map(
      ({ severity, message, rowCount }) => `- **${severity}**: ${plain(message)} *(${rowCount} rows)*`,
    ),
    '',
    '## Accuracy',
    '',
    ...table(
      [
        'run',
        'macro, 95 % interval',
        'micro',
        words.tasks,
        words.questions,
        'empty',
        'ungraded',
        'steps per self-edit',
        'reward reliability',
      ],
      runs.map((run) => [
        run.name,
        withInterval(run.macro),
        percent(run.micro),
        whole(run.passages),
        whole(run.questions),
        whole(run.emptyAnswers),
        whole(run.ungraded),
        whole(run.stepsPerEdit),
        decimal(run.rewardReliability),
      ]),
    ),
    ...runs.flatMap(({ name, bestOfK }) =>
      bestOfK
        ? [
            '',
            `Best of ${bestOfK.k} of ${plain(name)}: ${percent(bestOfK.inSample)} in sample, ${percent(bestOfK.crossFitted)} cross-fitted, mean of all ${percent(bestOfK.mean)}, ${bestOfK.tiedGroups} groups tied at the top.`,
          ]
        : [],
    ),
    ...(differences.length > 0
      ? [
          '',
          '## Differences',
          '',
          ...table(
            ['a − b', 'macro, 95 % interval', 'over', 'p, corrected', 'shown'],
            differences.map((each) => [
              `${each.a} − ${each.b}`,
              differenceWords(each),
              `${each.passages} ${words.tasks}, ${each.paired ? 'paired' : 'not paired'}`,
              probability(each.pCorrected),
              each.verdict,
            ]),
          ),
        ]
      : []),
    ...continual.flatMap(({ name, sequences, passages, mean, before, justLearned, atTheEnd }) => [
      '',
      `## ${plain(name)}: learning one passage after another`,
      '',
      `${whole(sequences)} sequences of ${passages} passages. Before: ${percent(before)}; just learned: ${percent(justLearned)}; at the end: ${percent(atTheEnd)}.`,
      '',
      ...table(
        ['after', ...Array.from({ length: passages }, (_, passage) => `passage ${passage + 1}`)],
        mean.map((row, after) => [
          after === 0 ? 'nothing' : String(after),
          ...row.map((cell) => (cell === null ? 'not measured' : percent(cell))),
        ]),
      ),
    ]),
    '',
    '## Methods',
    '',
    ...methodsOf(words).map((method) => `- ${method}`),
    '',
    '## What it rests on',
    '',
    ...table(
      ['run', 'source', 'model', 'seed', 'Selkie', 'ledger'],
      runs.map(({ id, source, model, seed, codeVersion, ledger }) => [
        id,
        source,
        model,
        seed === null ? 'not recorded' : String(seed),
        codeVersion,
        ledger,
      ]),
    ),
    '',
  ].join('\n')
}
