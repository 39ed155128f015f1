/** The preload script as it is built, run in a context that has nothing but what a sandboxed preload gets. */
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { build } from 'vite'
import { expect, test } from 'vitest'
import { contextBridge, exposed, ipcRenderer, webUtils } from '../fake-electron.ts'

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

test('the bridge requires electron alone and exposes request, subscribe and pathOfFile alone', async () => {
  const code = await buildPreload()
  const required: string[] = []
  const require = (name: string): unknown => {
    required.push(name)
    return { contextBridge, ipcRenderer, webUtils }
  }
  runInContext(code, createContext({ require, module: { exports: {} }, exports: {} }))
  expect(required).toEqual(['electron'])
  expect([...exposed.keys()]).toEqual(['selkie'])
  // Sound: the keys are checked first.
  const bridge = exposed.get('selkie') as { readonly pathOfFile: (file: unknown) => string }
  expect(Object.keys(bridge).sort()).toEqual(['pathOfFile', 'request', 'subscribe'])
  expect(bridge.pathOfFile({ path: '/models/a.gguf' })).toBe('/models/a.gguf')
  expect(() => bridge.pathOfFile('/etc/passwd')).toThrow(TypeError)
})
