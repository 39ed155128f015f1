/** What is an error in this project. The import table below is the architecture; read it top to bottom. */
import svelte from 'eslint-plugin-svelte'
import { defineConfig } from 'eslint/config'
import ts from 'typescript-eslint'
import selkie from './scripts/lint/import-table.js'

const node = /^node:/
const only = (...names) => names.map((name) => new RegExp(`^${name}(/|$)`))

/** What draws and lays out the page. */
const pageLibraries = only(
  ...['svelte', 'bits-ui', 'chart.js', 'chartjs-chart-matrix', 'virtua', 'diff'],
  '@lucide',
)

/** Folder → our folders it may import, and the outside modules it may touch. The longest matching folder counts. */
const importTable = {
  'src-shared': { may: [], outside: only('zod', 'pure-rand') },

  // Inside src-core: app → api → jobs, and app → minds → runs → loop → tasksets; the others never look up.
  'src-core/app.ts': {
    may: [
      'src-shared',
      ...[
        ...['adapter-files', 'api', 'capsules', 'compute', 'evidence', 'imports', 'jobs', 'minds'],
        ...['models', 'recipes', 'runs', 'store', 'system', 'views'],
      ].map((folder) => `src-core/${folder}`),
    ],
    outside: [node],
  },
  'src-core/api': { may: ['src-shared', 'src-core/jobs'], outside: [node] },
  'src-core/jobs': { may: ['src-shared'], outside: [node] },
  'src-core/compute': { may: ['src-shared'], outside: [node] },
  'src-core/runs': {
    may: [
      'src-shared',
      ...['graders', 'loop', 'models', 'recipes', 'store', 'tasksets'].map((folder) => `src-core/${folder}`),
    ],
    outside: [node],
  },
  'src-core/minds': {
    may: [
      'src-shared',
      ...['adapter-files', 'loop', 'models', 'recipes', 'runs', 'store', 'tasksets', 'views'].map(
        (folder) => `src-core/${folder}`,
      ),
    ],
    outside: [node],
  },
  'src-core/views': {
    may: [
      'src-shared',
      ...['adapter-files', 'loop', 'models', 'runs', 'store'].map((folder) => `src-core/${folder}`),
    ],
    outside: [node],
  },
  'src-core/adapter-files': { may: ['src-shared', 'src-core/models'], outside: [node, ...only('zod')] },
  'src-core/imports': {
    may: ['src-shared', ...['loop', 'store', 'tasksets'].map((folder) => `src-core/${folder}`)],
    outside: [node, ...only('zod')],
  },
  'src-core/capsules': {
    may: ['src-shared', ...['loop', 'runs', 'store', 'tasksets'].map((folder) => `src-core/${folder}`)],
    outside: [node, ...only('zod')],
  },
  'src-core/evidence': {
    may: ['src-shared', ...['imports', 'loop', 'store', 'views'].map((folder) => `src-core/${folder}`)],
    outside: [node],
  },
  'src-core/loop': { may: ['src-shared'], outside: [node] },
  'src-core/recipes': { may: ['src-shared', 'src-core/loop'], outside: [node, ...only('smol-toml')] },
  'src-core/tasksets': { may: ['src-shared'], outside: [node, ...only('zod')] },
  'src-core/graders': { may: ['src-shared'], outside: [node, ...only('zod')] },
  'src-core/store': { may: ['src-shared'], outside: [node, ...only('better-sqlite3')] },
  'src-core/models': { may: ['src-shared'], outside: [node, ...only('zod')] },
  'src-core/system': { may: ['src-shared'], outside: [node] },
  'src-core': { may: ['src-shared'], outside: [node] },

  // Inside src-compute: only ggml sees native memory; generator and trainer do not know each other.
  'src-compute/ggml': { may: ['src-shared', 'src-compute'], outside: [node, ...only('koffi')] },
  'src-compute/trainer': { may: ['src-shared', 'src-compute', 'src-compute/ggml'], outside: [node] },
  'src-compute/generator': { may: ['src-shared', 'src-compute', 'src-compute/ggml'], outside: [node] },
  'src-compute': { may: ['src-shared'], outside: [node] },

  'src-cli/server': {
    may: ['src-shared', ...coreFolders()],
    outside: [node, ...only('hono', '@hono/node-server', 'ws')],
  },
  'src-cli': {
    may: ['src-shared', 'src-cli/server', ...coreFolders()],
    outside: [node, ...only('commander')],
  },
  'src-main': { may: ['src-shared', ...coreFolders()], outside: [node, ...only('electron')] },
  'src-preload': { may: ['src-shared'], outside: only('electron') },

  // Inside src-renderer: views → components/<domain> → components/shared; state → transport.
  'src-renderer/components/shared': { may: ['src-shared'], outside: pageLibraries },
  'src-renderer/components': {
    may: ['src-shared', 'src-renderer/components/shared'],
    outside: pageLibraries,
  },
  'src-renderer/transport': { may: ['src-shared'], outside: [] },
  'src-renderer/state': { may: ['src-shared', 'src-renderer/transport'], outside: only('svelte') },
  'src-renderer/views': {
    may: [
      'src-shared',
      ...['components', 'components/shared', 'state'].map((folder) => `src-renderer/${folder}`),
    ],
    outside: pageLibraries,
  },
  'src-renderer': {
    may: [
      'src-shared',
      ...['views', 'components', 'components/shared', 'state', 'transport'].map(
        (folder) => `src-renderer/${folder}`,
      ),
    ],
    outside: only('svelte', '@fontsource-variable'),
  },
}

/** What a host may use of the core. */
function coreFolders() {
  return ['src-core', 'src-core/app.ts', 'src-core/compute', 'src-core/system']
}

export default defineConfig(
  { ignores: ['.selkie/**', 'out/**', 'node_modules/**', 'coverage/**'] },
  {
    files: ['**/*.ts', '**/*.svelte'],
    extends: [...ts.configs.recommendedTypeChecked, ...svelte.configs.recommended],
    plugins: { selkie },
    languageOptions: {
      parserOptions: {
        projectService: true,
        extraFileExtensions: ['.svelte'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'selkie/import-table': ['error', { root: import.meta.dirname, table: importTable }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/unbound-method': 'off', // our objects are closures; classes use private fields and say so loudly
      '@typescript-eslint/no-explicit-any': 'error',
      // An underscore marks what is taken out of an object in order to leave it behind.
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off', // an async handler without await is still a handler
    },
  },
  { files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
  // The expectations of vitest are of type any.
  { files: ['test/**'], rules: { '@typescript-eslint/no-unsafe-assignment': 'off' } },
)
