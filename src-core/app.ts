/** Builds the whole Electron-free application. A host supplies the launcher, and exposes `request` and `subscribe`. */
import { join } from 'node:path'
import type { Events, EventName } from '../src-shared/api/contract.ts'
import type { CatalogueModel } from '../src-shared/api/models.ts'
import type { Recipe } from '../src-shared/recipe.ts'
import type { Transport } from '../src-shared/api/transport.ts'
import { createAdapterJobs } from './adapter-files/adapter-jobs.ts'
import { createDispatch } from './api/router.ts'
import { createCapsules } from './capsules/capsules.ts'
import { Compute, type ComputeEntries } from './compute/compute.ts'
import type { Launch } from './compute/launcher.ts'
import { calibrationOf, labelAnswer, sampleAnswers } from './evidence/calibration.ts'
import { createReports } from './evidence/kept-reports.ts'
import { importRecords } from './imports/imports.ts'
import { Jobs } from './jobs/jobs.ts'
import { createJobRunner } from './jobs/run.ts'
import { benchForgetting } from './minds/bench-forgetting.ts'
import { createMindJobs } from './minds/mind-jobs.ts'
import { createMinds } from './minds/minds.ts'
import { createModelCatalogue } from './models/catalogue.ts'
import { readGgufFile } from './models/gguf-file.ts'
import { inspectGguf } from './models/inspect.ts'
import { createModelHasher } from './models/model-hashes.ts'
import { createModelDownloads } from './models/model-downloads.ts'
import { receiveModel, type IncomingModel } from './models/receive-model.ts'
import { listRecipes } from './recipes/load-recipe.ts'
import { planRecipe } from './recipes/plan-recipe.ts'
import { benchGrid } from './runs/bench-grid.ts'
import { benchLoop } from './runs/bench-loop.ts'
import { evaluateRecipeLearner } from './runs/evaluate-learner.ts'
import { inspectTaskset } from './runs/inspect-taskset.ts'
import { readRecipeTaskset, type RunTools } from './runs/prepare-run.ts'
import { rowsOf } from './runs/rows-of.ts'
import { Runs } from './runs/runs.ts'
import { fsck } from './store/fsck.ts'
import { examine } from './system/doctor.ts'
import { createLoadMeter } from './system/load-meter.ts'
import { machineOf } from './system/machine.ts'
import { createAdapterViews } from './views/adapter-views.ts'
import { createViews } from './views/views.ts'

export type AppOptions = {
  readonly launch: Launch
  readonly entries: ComputeEntries
  readonly selkieVersion: string
  readonly root: string // the project's or the packaged app's folder
  readonly storeFolder: string // made when something is first kept in it
  readonly workingFolder: string
  readonly env: NodeJS.ProcessEnv
}

/** `dispose` cancels what runs and ends the compute processes. */
export type App = Transport & {
  /** Lists a model that arrives as a stream. Throws as `receiveModel` in models. */
  receiveModel(incoming: IncomingModel): Promise<CatalogueModel>
  /** The path of a kept adapter's file; `key` as in AdapterRef. Throws `not_found` that says why there is none. */
  adapterFile(runId: string, key: string): string
  dispose(): Promise<void>
}

export function createApp({ launch, entries, storeFolder, ...surroundings }: AppOptions): App {
  const listeners = new Set<(name: string, payload: unknown) => void>()
  const emit = <E extends EventName>(name: E, payload: Events[E]): void => {
    for (const listener of [...listeners]) listener(name, payload)
  }
  const compute = new Compute(launch, entries)
  const models = createModelCatalogue({
    bundledFolder: join(surroundings.root, 'resources', 'models'),
    storeFolder,
  })
  const modelDownloads = createModelDownloads(models, surroundings.env)
  const runTools: RunTools = {
    compute,
    resolveModel: async (nameOrPath) => (await models.resolve(nameOrPath)).path,
    recipesFolder: join(surroundings.root, 'resources', 'recipes'),
    tasksetsFolder: join(surroundings.root, 'resources', 'tasksets'),
    env: surroundings.env,
  }
  const runs = new Runs({
    ...runTools,
    storeFolder,
    codeVersion: surroundings.selkieVersion,
    emit: (news) => emit('run', news),
    meterLoad: () => createLoadMeter(() => compute.processIds),
  })
  const capsules = createCapsules(runs)
  const reports = createReports()
  const adapters = createAdapterViews({ runs, compute, workingFolder: surroundings.workingFolder })
  const hashModel = createModelHasher()
  const codeVersion = surroundings.selkieVersion
  const minds = createMinds({ runs, tools: runTools, hashModel, codeVersion })
  const planTools = {
    compute,
    resolveModel: runTools.resolveModel,
    bundledFolder: runTools.recipesFolder,
    readGgufHeader: readGgufFile,
    readTaskset: (source: Recipe['taskset']) => readRecipeTaskset(source, runTools.tasksetsFolder),
    machine: () => machineOf(storeFolder),
  }
  const runJob = createJobRunner({
    compute,
    adapterJobs: createAdapterJobs({
      compute,
      hashModel,
      resolveModel: runTools.resolveModel,
      findAdapter: adapters.findKept,
      findRunModel: adapters.findModel,
    }),
    modelDownloads,
    readGgufHeader: readGgufFile,
    resolveModel: runTools.resolveModel,
    hashModel,
    findAdapter: adapters.findKept,
    runJobs: {
      plan: (recipe, signal) => planRecipe(recipe, planTools, signal),
      evaluateLearner: (spec, options) => evaluateRecipeLearner(spec, runTools, options),
      benchLoop: (recipe, options) =>
        benchLoop(recipe, runTools, { ...options, codeVersion: surroundings.selkieVersion }),
      benchGrid: (recipe, options) =>
        benchGrid(recipe, runTools, { ...options, codeVersion: surroundings.selkieVersion }),
    },
    mindJobs: {
      ...createMindJobs(minds, runTools),
      'bench-forgetting': (spec, options) => benchForgetting(spec, runTools, options),
    },
  })
  const jobs = new Jobs(runJob, (event) => emit('job', event))
  const request = createDispatch({
    'system.doctor': () => examine({ ...surroundings, ready: (process) => compute.ready(process) }),
    'files.inspect': ({ path }) => inspectGguf(path),
    'tasksets.inspect': ({ taskset }) => inspectTaskset(taskset, runTools.tasksetsFolder),
    'models.list': () => models.list(),
    'models.add': ({ path, name }) => models.add(path, name),
    'models.preview': (request) => modelDownloads.preview(request),
    'jobs.start': (spec) => jobs.start(spec),
    'jobs.get': ({ id }) => jobs.get(id),
    'jobs.list': () => jobs.list(),
    'jobs.cancel': ({ id }) => jobs.cancel(id),
    'recipes.list': () => listRecipes(runTools.recipesFolder),
    'runs.start': ({ recipe, seed }) => runs.start(recipe, seed),
    'runs.learn': (input) => runs.learn(input),
    'runs.resume': ({ id }) => runs.resume(id),
    'runs.pause': ({ id }) => runs.pause(id),
    'runs.cancel': ({ id }) => runs.cancel(id),
    'runs.list': () => runs.list(),
    'runs.show': ({ id }) => runs.show(id),
    'runs.events': ({ id, after }) => runs.read((store) => store.eventsAfter(id, after)),
    'runs.rows': ({ id, of, key }) => runs.read((store) => rowsOf(store, id, of, key)),
    'store.check': ({ readData }) => fsck(storeFolder, { readData }),
    'imports.read': (input) =>
      importRecords(input, {
        write: (work) => runs.write(work),
        codeVersion: surroundings.selkieVersion,
      }),
    'evidence.report': ({ runs: names }) => runs.read((store) => reports(store, names)),
    'evidence.sample': ({ id, count }) => runs.read((store) => sampleAnswers(store, id, count)),
    'evidence.label': (input) => {
      runs.write((store) => labelAnswer(store, input))
      return runs.read((store) => calibrationOf(store, input.id))
    },
    'evidence.calibration': ({ id }) => runs.read((store) => calibrationOf(store, id)),
    'capsules.pack': ({ id, path }) => capsules.pack(id, path),
    'capsules.verify': ({ path }) => capsules.verify(path),
    'capsules.replay': ({ path, model }) => capsules.replay(path, model),
    'capsules.grade': ({ path, id }) => capsules.grade(path, id),
    ...adapters.methods,
    ...minds.methods,
    ...createViews({ runs, storeFolder, downloadFolder: models.downloadFolder }),
  })
  return {
    request,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    receiveModel: (incoming) => receiveModel(models, incoming),
    adapterFile: (runId, key) => adapters.findKept({ runId, key }).path,
    dispose: async () => {
      await runs.dispose()
      await compute.dispose()
      await jobs.dispose()
    },
  }
}
