import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Native compute never runs in a test worker; tests that need it start the real children, one file at a time. */
const native = { fileParallelism: false, hookTimeout: 60_000 }

export default defineConfig({
  resolve: { alias: { electron: at('./test/fake-electron.ts') } },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // A property test writes hundreds of files, each flushed: seconds on most disks, a minute on a slow one.
    testTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts'],
        },
      },
      { extends: true, test: { name: 'integration', include: ['test/integration/**/*.test.ts'], ...native } },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: at('./test/e2e/page-build.ts'),
          ...native,
        },
      },
      { extends: true, test: { name: 'parity', include: ['test/parity/**/*.test.ts'], ...native } },
    ],
  },
})
