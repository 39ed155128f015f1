/**
 * The minds of a store: made, forked, looked at, and worked on. A piece of work computes first and appends one event at
 * its end, so that a mind is as it was before or as it is after, whenever the process dies.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Input, Output } from '../../src-shared/api/contract.ts'
import type { LessonChoice } from '../../src-shared/api/minds.ts'
import { AppError } from '../../src-shared/errors.ts'
import { foldMind, type MindState } from '../../src-shared/minds/fold.ts'
import type { Mind, MindEvent, MindEventBody } from '../../src-shared/minds/mind.ts'
import { requirePassages, splits } from '../../src-shared/task.ts'
import { modelRecord } from '../runs/model-record.ts'
import { createGrader, readRecipeTaskset, type RunTools } from '../runs/prepare-run.ts'
import { retryCrashes } from '../runs/retry-crashes.ts'
import type { Runs } from '../runs/runs.ts'
import type { Store } from '../store/store.ts'
import { prepareMind } from './create-mind.ts'
import { makeReadingFolder } from './reading-folder.ts'
import type { Adopt } from './merge.ts'
import { findMindEvent, listMinds, viewMind } from './mind-view.ts'
import { createMindTools, type MindTools } from './tools.ts'

export type MindsOptions = {
  readonly runs: Runs // knows the store, and who may write to it
  readonly tools: RunTools
  /** SHA-256 of a model's file; asked again and again, so it should remember. */
  readonly hashModel: (path: string, signal: AbortSignal) => Promise<string>
  readonly codeVersion: string
}
type Method = 'minds.list' | 'minds.create' | 'minds.fork' | 'minds.view' | 'minds.event' | 'minds.lessons'
export type MindMethods = {
  readonly [M in Method]: (input: Input<M>) => Output<M> | Promise<Output<M>>
}

/** A mind that is being asked; others may write to the store meanwhile. */
export type MindReading = {
  readonly mind: Mind
  readonly events: readonly MindEvent[]
  readonly state: MindState
  readonly tools: MindTools
}
/** A mind that is being changed: nothing else may write to the store meanwhile. */
export type MindWork = MindReading & {
  /** The same tools with a work folder of their own. */
  readonly toolsAgain: () => MindTools
  readonly adopt: Adopt
  /** The one thing that changes the mind. */
  readonly append: (event: MindEventBody) => MindEvent
}

export type Progress = (what: string, done: number, total: number) => void
export type MindOptions = { readonly signal: AbortSignal; readonly onProgress: Progress }
export type WithMind<Tools> = <T>(
  mindId: string,
  options: MindOptions,
  work: (tools: Tools) => Promise<T>,
) => Promise<T>

export type Minds = {
  readonly methods: MindMethods
  /** Throws `not_found`, `mismatch` if the base model is another. */
  readonly askOf: WithMind<MindReading>
  /** Throws likewise, and `conflict` if something else is being worked on. */
  readonly workOn: WithMind<MindWork>
}

export function createMinds({ runs, tools, hashModel, codeVersion }: MindsOptions): Minds {
  const compute = retryCrashes(tools.compute)
  return {
    methods: {
      'minds.list': () => (runs.hasStore ? runs.read(listMinds) : []),
      'minds.create': async (wanted) => {
        const { input, modelPath } = await prepareMind(wanted, tools, codeVersion)
        runs.write((store) => {
          store.addModel(modelRecord(modelPath, input.modelSha256))
          store.createMind(input, { type: 'created' })
        })
        return { id: input.id }
      },
      'minds.fork': ({ id, name, version }) =>
        runs.write((store) => {
          const { genesisHash: _g, createdAtMs: _c, ...mind } = store.mind(id)
          const events = store.mindEvents(id)
          const at = version ?? events.length
          if (at > events.length)
            throw new AppError(
              'invalid_input',
              `Mind ${id} has had ${events.length} events, so it has no version ${at}.`,
            )
          const { edits, merge, nextEdit } = foldMind(events.slice(0, at))
          const fork = { ...mind, id: randomUUID().slice(0, 8), name, codeVersion }
          store.createMind(fork, {
            type: 'forked',
            from: { mindId: id, version: at },
            state: { edits, merge, nextEdit },
          })
          return { id: fork.id }
        }),
      'minds.view': ({ id }) => runs.read((store) => viewMind(store, id)),
      'minds.event': ({ id, sequence }) => runs.read((store) => findMindEvent(store, id, sequence)),
      'minds.lessons': async ({ id }) => {
        const { recipe } = runs.read((store) => store.mind(id)).config
        const taskset = await readRecipeTaskset(recipe.taskset, tools.tasksetsFolder)
        const { splits: tasks } = requirePassages(taskset)
        return splits.flatMap((split) =>
          tasks[split].map(({ id: taskId, title }): LessonChoice => ({ taskId, title, split })),
        )
      },
    },
    askOf: async (mindId, options, work) => {
      const { store, ...found } = runs.read((store) => ({ store, ...read(store, mindId) }))
      const folder = makeReadingFolder(tmpdir())
      try {
        const makeTools = await toolMaker(found.mind, store, folder, options)
        return await work({ ...found, tools: makeTools() })
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
    workOn: async (mindId, options, work) => {
      runs.read((store) => store.mind(mindId)) // throws `not_found`, before a store is made
      return await runs.borrowStore(`mind ${mindId}`, async (store, folder) => {
        const found = read(store, mindId)
        const makeTools = await toolMaker(found.mind, store, folder, options)
        return await work({
          ...{ ...found, tools: makeTools(), toolsAgain: makeTools },
          adopt: (path) => store.adoptBlob(path),
          append: (event) => appendTo(store, mindId, found.state.version, event),
        })
      })
    },
  }

  /** Each call makes tools with a work folder of their own. */
  async function toolMaker(
    mind: Mind,
    store: Store,
    folder: string,
    { signal, onProgress }: MindOptions,
  ): Promise<() => MindTools> {
    const modelPath = await tools.resolveModel(mind.modelPath)
    requireSameModel(mind, modelPath, await hashModel(modelPath, signal))
    const grader = await createGrader(mind.config.recipe, { ...tools, compute })
    return () =>
      createMindTools({
        ...{ mind, modelPath, compute, grader, signal, onProgress },
        blobPath: (sha256) => store.blobPath(sha256),
        workFolder: newFolder(folder),
      })
  }
}

function read(store: Store, mindId: string): Pick<MindReading, 'mind' | 'events' | 'state'> {
  const mind = store.mind(mindId)
  const events = store.mindEvents(mindId)
  return { mind, events, state: foldMind(events) }
}

function appendTo(store: Store, mindId: string, after: number, event: MindEventBody): MindEvent {
  foldMind([...store.mindEvents(mindId), event]) // throws if it could not follow
  return store.appendMindEvent(mindId, after, event)
}

function newFolder(parent: string): string {
  mkdirSync(parent, { recursive: true })
  return mkdtempSync(join(parent, 'mind-'))
}

/** Throws `mismatch`. */
function requireSameModel({ modelSha256 }: Mind, path: string, found: string): void {
  if (found === modelSha256) return
  const message = `The base model ${path} has changed since the mind was made (sha256 ${found.slice(0, 12)} instead of ${modelSha256.slice(0, 12)}). Put the old file back.`
  throw new AppError('mismatch', message, { found, expected: modelSha256 })
}
