/**
 * The runs of a store: started from a recipe, paused, resumed, cancelled, looked at. One process works on a store at a
 * time; all state is in the store, so that a run whose process was killed goes on where it stood.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import type { LearnInput, MachineLoad, RunNews, RunProgress, RunReport } from '../../src-shared/api/runs.ts'
import type { Review, ReviewVerdict } from '../../src-shared/api/workbench.ts'
import { AppError } from '../../src-shared/errors.ts'
import { recipeSchema, type Recipe } from '../../src-shared/recipe.ts'
import type { EventInput, Run, RunEvent } from '../../src-shared/records.ts'
import type { RunSummary } from '../../src-shared/run-summary.ts'
import type { AnyTaskset } from '../../src-shared/task.ts'
import type { LedgerPort } from '../loop/ports.ts'
import { Paused, runSeal, type SealProgress } from '../loop/seal.ts'
import { KeptReader } from '../store/kept-reader.ts'
import { reviewEvent } from '../store/screen-queries.ts'
import { databasePath, openStore, type OpenOptions, type Store } from '../store/store.ts'
import { modelRecord } from './model-record.ts'
import { loadRecipe } from '../recipes/load-recipe.ts'
import { prepareLearning, preparedAgain, prepareRun, type PreparedRun, type RunTools } from './prepare-run.ts'
import { retryCrashes } from './retry-crashes.ts'
import { endOf, pausing, recordEnd } from './run-end.ts'
import { isRequested, isWorkedOn, leaveRequest, makeWorkFolder, removeWork } from './work-folder.ts'

export type RunsOptions = RunTools & {
  readonly storeFolder: string
  readonly codeVersion: string
  readonly emit: (news: RunNews) => void
  /** Each look tells the load since the one before. */
  readonly meterLoad: () => { look(): MachineLoad }
}

export type RepeatedRun = {
  readonly kind: Run['kind']
  readonly recipeToml: string
  readonly recipe: Recipe
  readonly taskset: AnyTaskset
  readonly modelSha256: string
}

type Working = {
  readonly runId: string
  readonly store: Store
  readonly prepared: PreparedRun
  readonly controller: AbortController // aborted with `Paused`, or else to cancel
  isPaused: boolean // after the unit of work at hand
  progress: RunProgress | null
}

/** How often a request to cancel is looked for; one to pause is looked for between units of work. */
const cancelPollMs = 500
/** How often the machine's load is looked at, and told. */
const loadMs = 1_000

export class Runs {
  readonly #options: RunsOptions
  readonly #reader: KeptReader
  #working: Working | undefined
  #borrowed: { readonly store: Store; readonly what: string } | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(options: RunsOptions) {
    this.#options = { ...options, compute: retryCrashes(options.compute) }
    this.#reader = new KeptReader(options.storeFolder)
  }

  /** Checks everything, then starts. Throws what prepareRun throws, `conflict` if a run is being worked on. */
  async start(nameOrPath: string, seed?: number): Promise<{ readonly id: string }> {
    this.#requireIdle()
    const { recipe, text } = await loadRecipe(nameOrPath, this.#options.recipesFolder)
    const seeded = seed === undefined ? recipe : { ...recipe, seed }
    return this.#begin('seal', text, await prepareRun(seeded, this.#options))
  }

  /** Throws as `start`. */
  async learn(input: LearnInput): Promise<{ readonly id: string }> {
    this.#requireIdle()
    const { recipe, text } = await loadRecipe(input.recipe, this.#options.recipesFolder)
    return this.#begin('learn', text, await prepareLearning(input, recipe, this.#options))
  }

  /**
   * A run once more, from what was kept of it. Throws as `start`, and `mismatch` if the model found is another than the
   * run had.
   */
  async repeat({
    kind,
    recipeToml,
    recipe,
    taskset,
    modelSha256,
  }: RepeatedRun): Promise<{ readonly id: string }> {
    this.#requireIdle()
    const prepared = await preparedAgain(recipe, taskset, this.#options)
    requireSame('model', prepared.modelPath, prepared.modelSha256, modelSha256)
    return this.#begin(kind, recipeToml, prepared)
  }

  #begin(kind: Run['kind'], recipeToml: string, prepared: PreparedRun): { readonly id: string } {
    const { recipe, modelPath, modelSha256, taskset } = prepared
    const id = randomUUID().slice(0, 8)
    const store = this.#openStore()
    try {
      store.addModel(modelRecord(modelPath, modelSha256))
      store.addTaskset(taskset, kind === 'learn' ? 'learn' : recipe.taskset.path)
      store.createRun({
        id,
        name: recipe.name,
        kind,
        recipeToml,
        config: recipe,
        seed: recipe.seed,
        modelSha256,
        tasksetSha256: taskset.sha256,
        codeVersion: this.#options.codeVersion,
      })
    } catch (error) {
      store.close()
      throw error
    }
    this.#work(store, id, prepared)
    return { id }
  }

  /**
   * Goes on with a run that was paused, interrupted or has failed. Throws `conflict` if it has ended or is worked on,
   * `mismatch` if the model or the taskset is not what the run began with.
   */
  async resume(id: string): Promise<{ readonly id: string }> {
    this.#requireIdle()
    const store = this.#openStore()
    try {
      const run = store.run(id)
      if (run.status === 'done' || run.status === 'cancelled')
        throw new AppError('conflict', `Run ${id} is ${run.status}. Start a new one.`, { id })
      const recipe = recipeSchema.parse(run.config)
      const prepared =
        run.kind === 'learn'
          ? await preparedAgain(recipe, store.taskset(run.tasksetSha256), this.#options)
          : await prepareRun(recipe, this.#options)
      requireSame('model', prepared.modelPath, prepared.modelSha256, run.modelSha256)
      requireSame('taskset', prepared.taskset.name, prepared.taskset.sha256, run.tasksetSha256)
      this.#work(store, id, prepared)
      return { id }
    } catch (error) {
      store.close()
      throw error
    }
  }

  /** Asks for a stop after the unit of work at hand. Throws `not_found`, `conflict` if nobody works on it. */
  pause(id: string): Run {
    const { run, isWorkedOn } = this.show(id)
    if (this.#working?.runId === id) this.#working.isPaused = true
    else if (isWorkedOn) leaveRequest(this.#options.storeFolder, id, 'pause')
    else throw new AppError('conflict', `Nobody works on run ${id}: there is nothing to pause.`, { id })
    return run
  }

  /** Ends a run for good; what it has made stays. Throws `not_found`, `conflict` if it has ended. */
  cancel(id: string): Run {
    const { run, isWorkedOn } = this.show(id)
    if (run.status === 'done' || run.status === 'cancelled')
      throw new AppError('conflict', `Run ${id} is ${run.status} already.`, { id })
    if (this.#working?.runId === id) this.#working.controller.abort(cancelled(id))
    else if (isWorkedOn) leaveRequest(this.#options.storeFolder, id, 'cancel')
    else return this.#cancelIdle(id)
    return run
  }

  #cancelIdle(id: string): Run {
    return this.write((store) => {
      store.appendEvent(id, 'cancelled', null)
      return store.run(id)
    })
  }

  /** The latest first; empty if there is no store yet. */
  list(): readonly RunReport[] {
    if (!this.hasStore) return []
    return this.read((store) => store.runs().map((run) => this.report(store, run))).toReversed()
  }

  /** Throws `not_found`. */
  show(id: string): RunReport {
    return this.read((store) => this.report(store, store.run(id)))
  }

  /** Gives `work` a store to read from, as it is at one moment. Throws `not_found` if there is none. */
  read<T>(work: (store: Store) => T): T {
    const { store } = this.#reader
    return store.snapshot(() => work(store))
  }

  report(store: Store, run: Run): RunReport {
    const { id } = run
    const [result] = store.rows('results', id, { name: 'summary' })
    return {
      run,
      isWorkedOn: this.isWorkedOn(id),
      headHash: store.headHash(id),
      // Sound: the loop wrote it under this name.
      summary: result ? (result.data as unknown as RunSummary) : null,
    }
  }

  /** Whether a process that is alive works on the run. */
  isWorkedOn(id: string): boolean {
    return isWorkedOn(this.#options.storeFolder, id)
  }

  /** The last that was reported of the run that this host works on; null for any other. */
  progress(id: string): RunProgress | null {
    return this.#working?.runId === id ? this.#working.progress : null
  }

  /**
   * Keeps what a person says of a candidate as an event of its run, whose status stays as it is. Throws `not_found`, or
   * `conflict` if another process writes to the store.
   */
  review(id: string, candidateId: string, verdict: ReviewVerdict | null, note: string): Review {
    this.read((store) => requireCandidate(store, id, candidateId))
    const review = { candidateId, verdict, note: note.trim() }
    const event = this.write((store) => store.appendEvent(id, reviewEvent, review))
    this.#options.emit({ type: 'event', event })
    return { ...review, atMs: event.atMs }
  }

  /** Whether there is a store yet. */
  get hasStore(): boolean {
    return existsSync(databasePath(this.#options.storeFolder))
  }

  /** Gives `work` the store that this host writes to, or opens it for a moment. Throws as openStore. */
  write<T>(work: (store: Store) => T): T {
    const held = this.#working ?? this.#borrowed
    if (held) return work(held.store)
    const store = this.#openStore({ isChecked: false })
    try {
      return work(store)
    } finally {
      store.close()
    }
  }

  /**
   * Gives `work` the store to itself until it ends, and a folder that is removed then; `what` says in messages what is
   * being worked on. Throws `conflict` if a run, or something else, is worked on, and as openStore.
   */
  async borrowStore<T>(what: string, work: (store: Store, workFolder: string) => Promise<T>): Promise<T> {
    this.#requireIdle()
    const { storeFolder } = this.#options
    const store = this.#openStore({ isChecked: false })
    this.#borrowed = { store, what }
    const workFolder = makeWorkFolder(storeFolder, 'borrowed')
    try {
      return await work(store, workFolder)
    } finally {
      removeWork(storeFolder)
      this.#borrowed = undefined
      store.close()
    }
  }

  /** Pauses what runs, giving up the unit of work at hand, and waits for it. */
  async dispose(): Promise<void> {
    this.#working?.controller.abort(new Paused(null))
    await this.#ended
    this.#reader.dispose()
  }

  // ------------------------------------------------------------------------------------------ inside

  /** Throws `conflict`. */
  #requireIdle(): void {
    if (this.#borrowed) {
      const { what } = this.#borrowed
      throw new AppError('conflict', `Selkie is working on ${what}. Wait for it, or cancel it first.`, {
        what,
      })
    }
    if (!this.#working) return
    const { runId } = this.#working
    throw new AppError('conflict', `Run ${runId} is being worked on. Pause or cancel it first.`, { runId })
  }

  /** For writing, rid of what a killed process left. Throws as openStore: `conflict` if another process has it. */
  #openStore(options?: OpenOptions): Store {
    const { storeFolder } = this.#options
    const store = openStore(storeFolder, options)
    removeWork(storeFolder)
    return store
  }

  #work(store: Store, runId: string, prepared: PreparedRun): void {
    const controller = new AbortController()
    this.#working = { runId, store, prepared, controller, isPaused: false, progress: null }
    this.#ended = this.#runToItsEnd(this.#working)
  }

  /** Whatever happens to a run ends in the store: its status is the last thing written. */
  async #runToItsEnd(working: Working): Promise<void> {
    const { runId, store, controller } = working
    const { storeFolder, emit } = this.#options
    const timer = setInterval(() => {
      if (isRequested(storeFolder, runId, 'cancel')) controller.abort(cancelled(runId))
    }, cancelPollMs)
    let end: EventInput = { type: 'done', data: null }
    try {
      await this.#seal(working)
    } catch (error) {
      end = endOf(error, controller.signal)
    }
    clearInterval(timer)
    const event = recordEnd(store, runId, end)
    removeWork(storeFolder) // not before: a run that says it is running, without it, was interrupted
    store.close()
    this.#working = undefined
    emit({ type: 'event', event })
  }

  async #seal(working: Working): Promise<void> {
    const { runId, store, controller, prepared } = working
    const { storeFolder, compute, emit } = this.#options
    const { recipe, modelPath, modelSha256, taskset, grader, teacher } = prepared
    const tell = (event: RunEvent): void => emit({ type: 'event', event })
    const meter = this.#options.meterLoad()
    let load = meter.look()
    const report = (progress: RunProgress): void => {
      working.progress = progress
      emit({ type: 'progress', progress })
    }
    const workFolder = makeWorkFolder(storeFolder, runId)
    const timer = setInterval(() => {
      load = meter.look()
      if (working.progress) report({ ...working.progress, load })
    }, loadMs)
    try {
      tell(store.appendEvent(runId, 'running', null))
      await runSeal({
        compute,
        grader: pausing(grader),
        ...(teacher && { teacher }),
        signal: controller.signal,
        modelPath,
        modelSha256,
        recipe,
        taskset,
        ledger: announced(store, tell),
        runId,
        workFolder,
        isPaused: () => working.isPaused || isRequested(storeFolder, runId, 'pause'),
        onProgress: clock((progress) => {
          report({ runId, ...progress, load })
        }),
      })
    } finally {
      clearInterval(timer)
      rmSync(workFolder, { recursive: true }) // its room may be needed to record the end on a full disk
    }
  }
}

const cancelled = (id: string): AppError => new AppError('cancelled', `Run ${id} was cancelled.`, { id })

/** Throws `not_found`. */
function requireCandidate(store: Store, id: string, candidateId: string): void {
  store.run(id)
  if (store.rows('candidates', id, { id: candidateId }).length > 0) return
  const message = `Run ${id} has no candidate ${candidateId}. Open the run to see which there are.`
  throw new AppError('not_found', message, { id, candidateId })
}

/** The store, with every event that is committed also told to who listens. */
function announced(store: Store, tell: (event: RunEvent) => void): LedgerPort {
  return {
    rows: (table, runId, where) => store.rows(table, runId, where),
    commit: (runId, ledger, beside) => store.commit(runId, ledger, beside).forEach(tell),
    adoptBlob: (path) => store.adoptBlob(path),
    blobPath: (sha256) => store.blobPath(sha256),
  }
}

/** Adds how long is left, from how long this process's units took. */
function clock(
  report: (progress: Omit<RunProgress, 'runId' | 'load'>) => void,
): (progress: SealProgress) => void {
  let first: { readonly done: number; readonly atMs: number } | undefined
  return (progress) => {
    const atMs = performance.now()
    first ??= { done: progress.done, atMs }
    const done = progress.done - first.done
    const perUnit = (atMs - first.atMs) / 1000 / done
    report({ ...progress, secondsLeft: done < 3 ? null : perUnit * (progress.total - progress.done) })
  }
}

function requireSame(what: string, name: string, found: string, expected: string): void {
  if (found === expected) return
  throw new AppError(
    'mismatch',
    `The ${what} ${name} has changed since the run began (sha256 ${found.slice(0, 12)} instead of ${expected.slice(0, 12)}). Put the old one back, or start a new run.`,
    { found, expected },
  )
}
