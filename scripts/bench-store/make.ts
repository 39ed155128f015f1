/**
 * Makes a store as large as years of use would, to measure the screens on: `node scripts/bench-store/make.ts FOLDER
 * [--runs N] [--candidates N] [--answers N]`. Every row goes through the store, so hashes are right; nothing is computed
 * by a model. The same arguments give the same ledgers.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseRecipe } from '../../src-core/recipes/parse-recipe.ts'
import { openStore, type Store } from '../../src-core/store/store.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import type { EventInput, RunStatus } from '../../src-shared/records.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { inventTasks, makeTaskset } from './tasks.ts'
import { adapterBytes, inventRun, inventSummary, type Shape } from './run-rows.ts'
import { benchModel, recipeText } from './recipe.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '1000' },
    candidates: { type: 'string', default: '100000' },
    answers: { type: 'string', default: '1000000' },
  },
})
const [folder] = positionals
if (folder === undefined) throw new Error('Name the folder: node scripts/bench-store/make.ts FOLDER')
if (existsSync(join(folder, 'selkie.db')))
  throw new Error(`${folder} holds a store already. Name another folder.`)
const wanted = {
  runs: Number(values.runs),
  candidates: Number(values.candidates),
  answers: Number(values.answers),
}

/** Of one run that is larger than the others. */
const largest = Math.min(2000, Math.floor(wanted.candidates / 2))
/** Answers without an adapter add about a fifth to those of the candidates. */
const questionsPerTask = Math.max(1, Math.ceil(wanted.answers / wanted.candidates / 1.2))
/** The kept files are so few because only their rows matter here. */
const blobs = Array.from({ length: 64 }, (_, index) => {
  return new TextEncoder().encode(`adapter ${index}`.padEnd(adapterBytes))
})

const store = openStore(folder)
try {
  const started = performance.now()
  const tasks = inventTasks(480, questionsPerTask)
  const taskset = makeTaskset(tasks)
  store.addModel(benchModel)
  store.addTaskset(taskset, 'invented')
  const kept = blobs.map((bytes) => store.putBlob(bytes))
  const others = wanted.candidates - largest
  for (let index = 0; index < wanted.runs; index++) {
    const even = Math.floor(others / (wanted.runs - 1))
    const rest = index <= others - even * (wanted.runs - 1) ? 1 : 0
    addRun(store, index, shapeOf(index === 0 ? largest : even + rest), tasks, taskset.sha256, kept)
    if (index % 100 === 99) process.stderr.write(`${index + 1} runs\n`)
  }
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0)} s\n`)
} finally {
  store.close()
}

function shapeOf(candidates: number): Shape {
  const rounds = candidates > 1000 ? 8 : 2
  const groupSize = candidates > 1000 ? 10 : 5
  const tasksPerRound = Math.max(1, Math.floor(candidates / 2 / rounds / groupSize))
  const evaluated = candidates - rounds * tasksPerRound * groupSize
  return {
    rounds,
    groupSize,
    tasksPerRound,
    evaluated,
    heldOut: Math.max(1, Math.floor(evaluated / (rounds + 2))),
  }
}

function addRun(
  store: Store,
  index: number,
  shape: Shape,
  tasks: readonly PassageTask[],
  tasksetSha256: string,
  blobs: readonly string[],
): void {
  const id = `run-${String(index).padStart(4, '0')}`
  const draw = uniformFloat('bench-store', index)
  const recipeToml = recipeText(index, shape)
  const recipe = parseRecipe(recipeToml, 'invented.toml')
  store.createRun({
    id,
    name: recipe.name,
    kind: 'seal',
    recipeToml,
    config: recipe,
    seed: recipe.seed,
    modelSha256: benchModel.sha256,
    tasksetSha256,
    codeVersion: '0.1.0',
  })
  const status = statusOf(index, draw)
  const { rows, measurements, units } = inventRun({ shape, recipe, tasks, blobs, draw })
  store.commit(id, rows, { measurements, events: [{ type: 'running', data: null }, ...units] })
  if (status === 'done') {
    store.commit(id, [{ table: 'results', name: 'summary', data: inventSummary(rows, shape) }])
  }
  if (status !== 'running') store.commit(id, [], { events: [endOf(status)] })
}

/** The largest run is done; of the others most are. */
function statusOf(index: number, draw: () => number): RunStatus {
  const place = draw()
  if (index === 0 || place < 0.85) return 'done'
  if (place < 0.9) return 'paused'
  if (place < 0.95) return 'failed'
  return place < 0.98 ? 'cancelled' : 'running'
}

function endOf(status: RunStatus): EventInput {
  const crash = { code: 'compute_crashed', message: 'The trainer stopped unexpectedly.' }
  return { type: status, data: status === 'failed' ? crash : null }
}
