/** The ledger of one invented run: in it a policy learns a little from round to round, and its self-edits grow alike. */
import { createHash } from 'node:crypto'
import { accuracyOf } from '../../src-core/loop/rewards.ts'
import type { Recipe } from '../../src-shared/recipe.ts'
import type { EventInput, LedgerRow, MeasurementInput } from '../../src-shared/records.ts'
import type { RunSummary } from '../../src-shared/run-summary.ts'
import { selfEditPrompt } from '../../src-shared/self-edit-prompts.ts'
import type { PassageTask, Verdict } from '../../src-shared/task.ts'
import { benchModel } from './recipe.ts'
import { sentence } from './tasks.ts'

export type Shape = {
  readonly rounds: number
  readonly groupSize: number
  readonly tasksPerRound: number
  readonly evaluated: number // candidates of all arms
  readonly heldOut: number // tasks
}

export type Invention = {
  readonly shape: Shape
  readonly recipe: Recipe
  readonly tasks: readonly PassageTask[]
  readonly blobs: readonly string[] // of kept adapters
  readonly draw: () => number
}

/** The size of every adapter's file, in bytes. */
export const adapterBytes = 32

type Answers = Extract<LedgerRow, { table: 'answers' }>

export function inventRun(invention: Invention): {
  readonly rows: readonly LedgerRow[]
  readonly measurements: readonly MeasurementInput[]
  readonly units: readonly EventInput[]
} {
  const { shape, tasks } = invention
  const run = new InventedRun(invention)
  const heldOut = tasks.slice(0, shape.heldOut)
  run.add({ table: 'policy_versions', version: 0, adapterSha256: null, parent: null, training: null })
  const frozen = run.ask('frozen', heldOut)
  run.evaluate('bare-passage', heldOut, 0, frozen)
  run.evaluate('policy-0', heldOut, 0, frozen)
  for (let round = 0; round < shape.rounds; round++) {
    const from = 80 + ((round * shape.tasksPerRound) % (tasks.length - 80 - shape.tasksPerRound))
    run.round(round, tasks.slice(from, from + shape.tasksPerRound))
    run.evaluate(`policy-${round + 1}`, heldOut, round + 1, frozen)
  }
  return run
}

/** Accuracies as counted, intervals as wide as they often are: resampling them would take most of the time. */
export function inventSummary(rows: readonly LedgerRow[], { heldOut }: Shape): RunSummary {
  const answers = Map.groupBy(
    rows.filter((row) => row.table === 'answers'),
    ({ arm }) => arm,
  )
  const arms = [...answers].flatMap(([name, own]) => {
    const accuracy = accuracyOf(own)
    if (name === 'train' || name.startsWith('baseline-') || accuracy === null) return []
    const interval = { accuracy, low: Math.max(0, accuracy - 0.05), high: Math.min(1, accuracy + 0.05) }
    const ungraded = own.filter(({ verdict }) => verdict === 'ungraded').length
    return [{ name, n: own.length, passages: heldOut, ...interval, emptyAnswers: 0, ungraded }]
  })
  return { arms, differences: [], example: null }
}

class InventedRun {
  readonly rows: LedgerRow[] = []
  readonly measurements: MeasurementInput[] = []
  readonly units: EventInput[] = []
  readonly #of: Invention
  readonly #known = new Set<string>() // adapters
  #evaluatedLeft: number

  constructor(invention: Invention) {
    this.#of = invention
    this.#evaluatedLeft = invention.shape.evaluated
  }

  add(...rows: readonly LedgerRow[]): void {
    this.rows.push(...rows)
  }

  /** Answers without an adapter, by task. */
  ask(arm: string, tasks: readonly PassageTask[]): ReadonlyMap<string, readonly Answers[]> {
    const answers = new Map(
      tasks.map((task) => [task.id, this.#answers(arm, null, null, task, 0.1, `${arm}/${task.id}`)] as const),
    )
    this.add(...[...answers.values()].flat())
    this.#unit('evaluating', arm, null, 2 * tasks.length)
    return answers
  }

  round(round: number, tasks: readonly PassageTask[]): void {
    const { groupSize } = this.#of.shape
    this.add({ table: 'rounds', round, policyVersion: round, tasks: tasks.map(({ id }) => id) })
    const baseline = this.ask(`baseline-${round}`, tasks)
    const rewards = tasks.map((task) =>
      Array.from({ length: groupSize }, (_, number) =>
        this.#candidate('train', round, round, task, number, baseline.get(task.id)!),
      ),
    )
    this.#unit('writing', `round ${round}`, round, tasks.length * groupSize * 0.4)
    this.#unit('trying', `round ${round}`, round, tasks.length * groupSize * 0.9)
    for (const group of rewards) {
      const best = group.toSorted((a, b) => (b.reward ?? -1) - (a.reward ?? -1))[0]!
      if (best.reward !== null)
        this.add({ table: 'selections', candidateId: best.id, round, rule: 'best-of-group' })
    }
    this.#learn(round)
  }

  /** The last arm takes what is left of the candidates. */
  evaluate(
    arm: string,
    tasks: readonly PassageTask[],
    version: number,
    frozen: ReadonlyMap<string, readonly Answers[]>,
  ): void {
    const isLast = arm === `policy-${this.#of.shape.rounds}`
    const count = isLast ? this.#evaluatedLeft : tasks.length
    this.#evaluatedLeft -= count
    for (let index = 0; index < count; index++) {
      const task = tasks[index % tasks.length]!
      const number = Math.floor(index / tasks.length)
      this.#candidate(arm, version, version, task, number, frozen.get(task.id)!)
    }
    this.#unit('trying', arm, version === 0 ? null : version - 1, count * 0.9)
  }

  #candidate(
    arm: string,
    round: number,
    version: number,
    task: PassageTask,
    number: number,
    baseline: readonly Answers[],
  ): { readonly id: string; readonly reward: number | null } {
    const { draw, recipe } = this.#of
    const id = `${arm === 'train' ? `round-${round}` : arm}/${task.id}/${number}`
    const bare = arm === 'bare-passage'
    const text = bare || draw() < 0.01 ? '' : this.#selfEdit(task, version)
    this.add({
      table: 'candidates',
      id,
      arm,
      round,
      taskId: task.id,
      number,
      policyVersion: version,
      promptKey: bare ? 'none' : 'implications',
      prompt: selfEditPrompt(bare ? 'none' : 'implications', task),
      sampling: { temperature: 1, topP: 0.95, maxTokens: 256, stop: [] },
      seed: Math.floor(draw() * 2 ** 32),
      text,
      tokens: Math.round(text.length / 4),
      finishReason: 'end',
      logProb: -text.length / 5,
    })
    const trialId = `${id}/0`
    const failed = draw() < 0.003
    const losses = Array.from({ length: 20 }, (_, step) => 3 * Math.exp(-step / 8) + 0.2 * draw())
    const adapterSha256 = failed ? null : this.#adapter(trialId, arm === 'train')
    this.add({
      table: 'trials',
      id: trialId,
      candidateId: id,
      number: 0,
      seed: Math.floor(draw() * 2 ** 32),
      config: recipe.innerLoop,
      sequences: text === '' ? [task.passage] : text.split('\n'),
      status: failed ? 'failed' : 'done',
      error: failed ? { code: 'compute_crashed', message: 'The trainer stopped unexpectedly.' } : null,
      steps: failed ? 0 : losses.length,
      losses: failed ? null : losses,
      adapterSha256,
    })
    const skill = (bare ? 0.15 : 0.2) + 0.04 * version + 0.3 * draw()
    const answers = failed ? [] : this.#answers(arm, version, trialId, task, skill, trialId)
    const reward = accuracyOf(answers)
    const ungraded = answers.filter(({ verdict }) => verdict === 'ungraded').length
    this.add(...answers, {
      table: 'rewards',
      candidateId: id,
      value: reward,
      definition: 'accuracy',
      trials: 1,
      graded: answers.length - ungraded,
      ungraded,
      baseline: accuracyOf(baseline),
    })
    this.measurements.push({ subject: trialId, name: 'seconds', value: 0.5 + draw() })
    return { id, reward }
  }

  /** Five lines of fourteen; a later policy draws from fewer. */
  #selfEdit(task: PassageTask, version: number): string {
    const lines = Array.from({ length: 5 }, () => Math.floor(this.#of.draw() * Math.max(5, 14 - 2 * version)))
    return lines.map((line) => `${task.title}: ${lineOf(task, line)}`).join('\n')
  }

  /** Its SHA-256; with a row if its file is kept. */
  #adapter(trialId: string, isKept: boolean): string {
    const { blobs, draw, recipe } = this.#of
    if (!isKept) return createHash('sha256').update(trialId).update(String(draw())).digest('hex')
    const sha256 = blobs[Math.floor(draw() * blobs.length)]!
    this.#keep(sha256, 'trial', recipe.innerLoop.lora)
    return sha256
  }

  #keep(sha256: string, kind: 'trial' | 'policy', lora: Recipe['innerLoop']['lora']): void {
    if (this.#known.has(sha256)) return
    this.#known.add(sha256)
    const { sha256: baseSha256 } = benchModel
    const file = { sha256, kind, lora, baseSha256, parents: [], steps: 20, sizeBytes: adapterBytes }
    this.add({ table: 'adapters', ...file })
  }

  #learn(round: number): void {
    const { blobs, draw, recipe } = this.#of
    const adapterSha256 = blobs[round % blobs.length]!
    this.#keep(adapterSha256, 'policy', recipe.outerLoop.lora)
    const losses = Array.from({ length: 12 }, (_, step) => 2 * Math.exp(-step / 6) + 0.2 * draw())
    const training = { seed: round, steps: losses.length, losses, candidates: [] }
    this.add({ table: 'policy_versions', version: round + 1, adapterSha256, parent: round, training })
    this.#unit('learning', `policy ${round + 1}`, round, 20)
  }

  #answers(
    arm: string,
    policyVersion: number | null,
    trialId: string | null,
    task: PassageTask,
    skill: number,
    prefix: string,
  ): Answers[] {
    const { draw } = this.#of
    return task.questions.map(({ id, referenceAnswer }) => {
      const verdict = verdictOf(draw(), skill)
      return {
        table: 'answers',
        id: `${prefix}/${id}`,
        trialId,
        arm,
        policyVersion,
        taskId: task.id,
        questionId: id,
        text: verdict === 'correct' ? referenceAnswer : sentence(draw, 3),
        tokens: 4,
        verdict,
        grader: 'exact-match',
        judge: null,
      }
    })
  }

  #unit(phase: string, text: string, round: number | null, seconds: number): void {
    const data = {
      phase,
      round,
      text,
      done: this.units.length + 1,
      total: this.units.length + 1,
      seconds,
      rewards: [],
    }
    this.units.push({ type: 'unit', data })
  }
}

const verdictOf = (place: number, skill: number): Verdict =>
  place > 0.998 ? 'ungraded' : place < skill ? 'correct' : 'incorrect'

/** One of the things that follow from a passage. */
function lineOf({ passage }: PassageTask, line: number): string {
  const sentences = passage.split('. ')
  const one = sentences[line % sentences.length]!
  return line < sentences.length ? one : one.toLowerCase().split(' ').toReversed().join(' ')
}
