/** What `selkie import` and `selkie report` do and print. */
import { writeFileSync } from 'node:fs'
import type { ImportFormat, ImportReport } from '../src-shared/api/evidence.ts'
import { reportHtml } from '../src-shared/report/report-html.ts'
import { reportMarkdown } from '../src-shared/report/report-markdown.ts'
import type { ReportFlags } from './commands/report.ts'
import type { RunFlags } from './commands/run.ts'
import { duration } from './format.ts'
import { runCommand } from './run-command.ts'

export async function importFrom(format: ImportFormat, path: string, flags: RunFlags): Promise<void> {
  await runCommand(
    flags,
    async ({ api }) => {
      const report = await api.call('imports.read', { format, path })
      if (report.problems.length > 0) process.exitCode = 1
      return report
    },
    describeImport,
  )
}

/** stdout gets the one document that was asked for, or with --out the path of its file. */
export async function printReport(runs: readonly string[], flags: ReportFlags): Promise<void> {
  const { html, md: _, out, ...others } = flags
  await runCommand(
    others,
    async ({ api, say }) => {
      const report = await api.call('evidence.report', { runs })
      if (out === undefined) return report
      const text = others.json
        ? `${JSON.stringify(report)}\n`
        : html
          ? reportHtml(report)
          : reportMarkdown(report)
      writeFileSync(out, text, { flag: 'wx' })
      say(`The report is in ${out}.`)
      return report
    },
    (report) => (out === undefined ? (html ? reportHtml(report) : reportMarkdown(report)) : out),
  )
}

function describeImport({ runs, problems, notes, seconds }: ImportReport): string {
  const added = runs.filter(({ status }) => status === 'imported')
  return [
    ...runs.map(({ id, source, form, status }) => `${status.padEnd(9)}  ${id}  (${form}, ${source})`),
    ...notes.map(({ source, message }) => `note       ${source} ${message}`),
    ...problems.map(({ message }) => `left out   ${message}`),
    `${added.length} runs imported, ${runs.length - added.length} were there already, ${problems.length} files left out (${duration(seconds)}).`,
    ...(runs.length > 0
      ? [
          `Look at them: selkie report ${runs
            .slice(0, 4)
            .map(({ id }) => id)
            .join(' ')}`,
        ]
      : []),
  ].join('\n')
}
