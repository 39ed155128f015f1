/** What work on a mind needs: the compute processes, the grader, and where its files are. */
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import type { Merge, Mind, StackPart } from '../../src-shared/minds/mind.ts'
import { strategies, type Strategy } from '../../src-shared/minds/strategies.ts'
import { innerLoopSettings, type InnerLoopOptions } from '../loop/inner-loop.ts'
import type { GraderPort } from '../loop/ports.ts'
import { createEmbed, type Embed, type RouteTexts } from './routing.ts'
import { createComposer, type Composer } from './stack-files.ts'

export type MindTools = {
  readonly mind: Mind
  readonly strategy: Strategy
  readonly modelPath: string // of the base model
  readonly compute: ComputePort // repeats a request once whose process crashed
  readonly grader: GraderPort
  readonly signal: AbortSignal
  readonly onProgress: (what: string, done: number, total: number) => void
  readonly blobPath: (sha256: string) => string
  readonly workFolder: string // of this piece of work alone; emptied by whoever made it
  readonly composer: Composer
  readonly embed: Embed
}

export type MindToolsInput = Omit<MindTools, 'strategy' | 'composer' | 'embed'>

export function createMindTools(input: MindToolsInput): MindTools {
  return {
    ...input,
    strategy: strategies[input.mind.config.strategy],
    composer: createComposer(input),
    embed: createEmbed(input),
  }
}

/** A stack as it is asked. */
export type Serving = {
  readonly parts: readonly StackPart[] // all that is on, in order
  readonly merge: Merge | null // of some of them
  readonly routes: readonly RouteTexts[] | null // per part; null: all are on for every question
}

/** The inner loop's options for this mind: greedy answers whose bits do not depend on what else is asked. */
export function innerLoopOf(tools: MindTools): InnerLoopOptions {
  const { compute, grader, signal, modelPath, workFolder, mind } = tools
  return {
    ...innerLoopSettings(mind.config.recipe),
    ...{ compute, grader, signal, modelPath, workFolder },
    wholePrompts: true,
  }
}
