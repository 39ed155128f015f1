/** The import table of eslint.config.js bites: forbidden imports are linted as they would be in the project. */
import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
// The project's own configuration, but of its rules only the table, which needs no types: that makes it fast.
const eslint = new ESLint({
  cwd: root,
  ruleFilter: ({ ruleId }) => ruleId === 'selkie/import-table',
  overrideConfig: { files: ['**/*.ts'], languageOptions: { parserOptions: { projectService: false } } },
})

/** What the table says about `code` standing in `file`. */
async function complaintsAbout(code: string, file: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: `${root}/${file}` })
  const messages = result?.messages ?? []
  expect(messages.filter(({ fatal }) => fatal)).toEqual([])
  return messages.filter(({ ruleId }) => ruleId === 'selkie/import-table').map(({ message }) => message)
}

const anywhere = 'src-core/jobs/jobs.ts'

test.each([
  ['src-shared/errors.ts', "import 'node:fs'", 'src-shared may not import the outside module "node:fs".'],
  ['src-shared/errors.ts', "import '../src-core/app.ts'", 'src-shared may not import src-core/app.ts.'],
  ['src-core/app.ts', "import 'electron'", 'src-core/app.ts may not import the outside module "electron".'],
  [
    'src-core/app.ts',
    "import 'node-llama-cpp'",
    'src-core/app.ts may not import the outside module "node-llama-cpp".',
  ],
  ['src-core/app.ts', "import '../src-compute/serve.ts'", 'src-core/app.ts may not import src-compute.'],
  [
    'src-core/jobs/jobs.ts',
    "import '../compute/compute.ts'",
    'src-core/jobs may not import src-core/compute.',
  ],
  [
    'src-core/compute/compute.ts',
    "import '../jobs/jobs.ts'",
    'src-core/compute may not import src-core/jobs.',
  ],
  ['src-compute/serve.ts', "import 'koffi'", 'src-compute may not import the outside module "koffi".'],
  ['src-compute/serve.ts', "import '../src-core/app.ts'", 'src-compute may not import src-core/app.ts.'],
  ['src-cli/index.ts', "import '../src-compute/serve.ts'", 'src-cli may not import src-compute.'],
  ['src-cli/index.ts', "import '../src-core/jobs/jobs.ts'", 'src-cli may not import src-core/jobs.'],
  ['src-main/index.ts', "import '../src-cli/host.ts'", 'src-main may not import src-cli.'],
  ['src-preload/index.ts', "import 'node:fs'", 'src-preload may not import the outside module "node:fs".'],
  ['src-renderer/main.ts', "import 'electron'", 'src-renderer may not import the outside module "electron".'],
  ['src-renderer/main.ts', "import '../src-core/app.ts'", 'src-renderer may not import src-core/app.ts.'],
])('in %s, %s is an error', async (file, code, complaint) => {
  expect(await complaintsAbout(code, file)).toEqual([complaint])
})

test.each([
  ["export { koffi } from 'koffi'"],
  ["export * from 'koffi'"],
  ["await import('koffi')"],
  ["import type { Library } from 'koffi'"],
  ["type Library = import('koffi').Library"],
  ["import koffi = require('koffi')"],
  ["const koffi = require('koffi')"],
])('the table sees %s', async (code) => {
  expect(await complaintsAbout(code, anywhere)).toEqual([
    'src-core/jobs may not import the outside module "koffi".',
  ])
})

test('what the table allows is no error', async () => {
  expect(
    await complaintsAbout(
      "import 'node:fs'; import '../../src-shared/errors.ts'; import './ports.ts'",
      anywhere,
    ),
  ).toEqual([])
  expect(
    await complaintsAbout("import '../src-core/app.ts'; import 'electron'", 'src-main/index.ts'),
  ).toEqual([])
})
