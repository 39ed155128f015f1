/** What `selkie ask` does and prints. */
import { readFile } from 'node:fs/promises'
import type { AskedColumn } from '../src-shared/api/workbench.ts'
import type { AskFlags } from './commands/ask.ts'
import { oneLine, percent } from './format.ts'
import { runCommand } from './run-command.ts'

export async function ask(question: string, flags: AskFlags): Promise<void> {
  const { model, title, passageFile, column: columns = [{ adapters: [] }], maxTokens } = flags
  await runCommand(
    flags,
    async ({ run }) => {
      const passage = passageFile === undefined ? '' : await readFile(passageFile, 'utf8')
      return await run({ type: 'ask', model, title, passage, question, maxTokens, columns })
    },
    ({ columns: answers }) =>
      answers.map((answer, index) => describe(answer, columns[index]!.adapters)).join('\n\n'),
  )
}

function describe(
  { text, tokens }: AskedColumn,
  adapters: NonNullable<AskFlags['column']>[number]['adapters'],
): string {
  const names = adapters.map(({ runId, key, scale }) => `${runId}/${key}${scale === 1 ? '' : `:${scale}`}`)
  const shares = tokens.map((token) => `${JSON.stringify(token.text)} ${percent(token.probability)}`)
  return [`${oneLine(names.join(' + ')) || 'base'}: ${oneLine(text)}`, `  ${shares.join('  ')}`].join('\n')
}
