/**
 * The two test commands. `check`: types, lint, format, unit and contract tests. `test`: all of that and the tests
 * with real models. The last line reads "N passed, N failed", counting every test and every check.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const require = createRequire(import.meta.url)
const projects = { check: ['unit'], test: ['unit', 'integration', 'e2e', 'parity'] }[process.argv[2]]
if (!projects) throw new Error('Say "check" or "test".')

/** A tool's script, so that it runs under this Node on every platform. */
function tool(name, bin = name) {
  const manifest = require.resolve(`${name}/package.json`)
  const { bin: bins } = JSON.parse(readFileSync(manifest, 'utf8'))
  return join(dirname(manifest), typeof bins === 'string' ? bins : bins[bin])
}

/** Runs a tool to its end. Its output appears at once if it runs alone, else when it is over. */
function succeeds(title, script, args, { alone }) {
  const started = performance.now()
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: alone ? 'inherit' : 'pipe' })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text) => (output += text))
  return new Promise((resolve) => {
    child.on('close', (status) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      console.log(`${output}${status === 0 ? 'ok' : 'FAILED'}: ${title} (${seconds} s)\n`)
      resolve(status === 0)
    })
  })
}

const isTest = process.argv[2] === 'test'
const cache = join(root, 'node_modules/.cache/selkie')
const typesOf = (project, name) => [
  ...['-p', project, '--noEmit', '--pretty'],
  ...['--incremental', '--tsBuildInfoFile', join(cache, `${name}.tsbuildinfo`)],
]
// Rules that look at types may miss what a change does to files that were not changed: `test` lints all of them.
const lintCache = ['--cache', '--cache-strategy', 'content', '--cache-location', join(cache, 'eslint')]

const together = { alone: false }
const checks = await Promise.all([
  succeeds('types', tool('typescript', 'tsc'), typesOf('.', 'all'), together),
  succeeds('types of the browser tests', tool('typescript', 'tsc'), typesOf('test/e2e', 'e2e'), together),
  succeeds(
    'types of the page',
    tool('svelte-check'),
    ['--tsconfig', 'src-renderer/tsconfig.json', '--output', 'human'],
    together,
  ),
  succeeds('lint', tool('eslint'), ['.', '--max-warnings', '0', ...(isTest ? [] : lintCache)], together),
  succeeds('format', tool('prettier'), ['--check', '--cache', '--log-level', 'warn', '.'], together),
])
const tests = await runTests()
const passed = checks.filter(Boolean).length + tests.passed
const failed = checks.filter((ok) => !ok).length + tests.failed
if (tests.skipped > 0) console.log(`\n${tests.skipped} tests were SKIPPED; the output above says why.`)
if (tests.passed === 0) console.log('\nNot a single test ran to its end.')
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || tests.passed === 0 ? 1 : 0

async function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'selkie-tests-'))
  try {
    const report = join(folder, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const wanted = projects.flatMap((name) => ['--project', name])
    const ok = await succeeds(
      'tests',
      tool('vitest'),
      ['run', '--passWithNoTests', ...wanted, ...reporters],
      { alone: true },
    )
    return countTests(JSON.parse(readFileSync(report, 'utf8')), ok)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A file that could not be loaded counts as one failure, and so does an error outside of every test. */
function countTests({ numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults }, ok) {
  const brokenFiles = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  ).length
  const failed = numFailedTests + brokenFiles
  return {
    passed: numPassedTests,
    failed: failed === 0 && !ok ? 1 : failed,
    skipped: numPendingTests + numTodoTests,
  }
}
