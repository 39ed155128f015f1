/** The preload script as it is built, run in a context that has nothing but what a sandboxed preload gets. */
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { build } from 'vite'
import { expect, test } from 'vitest'
import { contextBridge, exposed, ipcRenderer } from '../fake-electron.ts'

async function buildPreload(): Promise<string> {
  const entry = fileURLToPath(new URL('../../src-preload/index.ts', import.meta.url))
  const output = await build({
    configFile: false,
    logLevel: 'silent',
    build: { write: false, ssr: entry, rollupOptions: { external: ['electron'], output: { format: 'cjs' } } },
  })
  if (!('output' in output)) throw new Error('Expected one build.')
  return output.output[0].code
}

test('the bridge requires electron alone and exposes request and subscribe alone', async () => {
  const code = await buildPreload()
  const required: string[] = []
  const require = (name: string): unknown => {
    required.push(name)
    return { contextBridge, ipcRenderer }
  }
  runInContext(code, createContext({ require, module: { exports: {} }, exports: {} }))
  expect(required).toEqual(['electron'])
  expect([...exposed.keys()]).toEqual(['selkie'])
  expect(Object.keys(exposed.get('selkie') as object).sort()).toEqual(['request', 'subscribe'])
})
