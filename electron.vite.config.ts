import { resolve } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'electron-vite'

const at = (path: string): string => resolve(import.meta.dirname, path)
/** SELKIE_OUT: another folder for the build, so that tests leave `out` alone. */
const out = (name: string): string => resolve(process.env['SELKIE_OUT'] ?? at('out'), name)

export default defineConfig({
  main: {
    build: {
      outDir: out('main'),
      externalizeDeps: true,
      // One build, four entries: the Electron host, the plain-Node host, and the two processes that both of them start.
      rollupOptions: {
        input: {
          index: at('src-main/index.ts'),
          cli: at('src-cli/index.ts'),
          generator: at('src-compute/generator/main.ts'),
          trainer: at('src-compute/trainer/main.ts'),
        },
      },
    },
  },
  preload: {
    build: {
      outDir: out('preload'),
      externalizeDeps: false, // a sandboxed preload may require nothing but electron
      rollupOptions: {
        input: { index: at('src-preload/index.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: at('src-renderer'),
    plugins: [svelte()],
    build: {
      outDir: out('renderer'),
      minify: true,
      assetsInlineLimit: 0, // the content security policy allows no font from a data: URL
      rollupOptions: { input: at('src-renderer/index.html') },
    },
  },
})
