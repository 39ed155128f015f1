/** Real generator and trainer processes for tests, and the models they use. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { ComputeClient } from '../../src-core/compute/compute-client.ts'
import { launchWithFork } from '../../src-core/compute/fork.ts'
import type { ChildHandle, Launch } from '../../src-core/compute/launcher.ts'
import type { GeneratorMethods, TrainerMethods, TrainSequence } from '../../src-shared/compute-protocol.ts'

const entry = (name: string): string =>
  fileURLToPath(new URL(`../../src-compute/${name}/main.ts`, import.meta.url))

/** Started by the first request, stopped after the file's tests. */
export const startTrainer = (onLaunch?: OnLaunch): ComputeClient<TrainerMethods> =>
  start<TrainerMethods>('trainer', onLaunch)

export const startGenerator = (onLaunch?: OnLaunch): ComputeClient<GeneratorMethods> =>
  start<GeneratorMethods>('generator', onLaunch)

type OnLaunch = (child: ChildHandle) => void

function start<Methods extends TrainerMethods | GeneratorMethods>(
  name: 'trainer' | 'generator',
  onLaunch: OnLaunch = () => undefined,
): ComputeClient<Methods> {
  const launch: Launch = (path) => {
    const child = launchWithFork(path)
    onLaunch(child)
    return child
  }
  const client = new ComputeClient<Methods>({ name, entry: entry(name), launch })
  afterAll(() => client.dispose())
  return client
}

/** A real pretrained model of 260 thousand weights, kept outside the repository; undefined where it is absent. */
export const stories260K = ((): string | undefined => {
  const shared = process.env['SELKIE_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url))
  const path = resolve(shared, 'models/stories260K.gguf')
  return existsSync(path) ? path : undefined
})()

/** Sequences in which every token but the first is to be predicted. */
export function wholeSequences(texts: readonly Int32Array[]): TrainSequence[] {
  return texts.map((tokens) => ({
    tokens,
    lossMask: Uint8Array.from(tokens, (_, index) => (index > 0 ? 1 : 0)),
  }))
}
