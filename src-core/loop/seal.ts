/**
 * The outer loop: ReST-EM over self-edits (SEAL, arXiv 2506.10943). A round samples a group of candidates per task,
 * tries each (train an adapter on it, ask the task's questions without the passage), rewards and selects, then
 * fine-tunes the policy on the selected ones. Everything it makes goes into the run's ledger in a fixed order, one
 * transaction per unit of work; a unit that is in the ledger already is skipped. So a run that was stopped anywhere
 * goes on, and ends with the same ledger as one that was not.
 *
 * Different from the original:
 * - The base model is what learns and is questioned; the policy only writes (see inner-loop.ts).
 * - A crash or an ungraded answer never counts as incorrect; a candidate whose every trial failed has no reward.
 * - Seeds follow from (run, round, task, candidate, trial); the original takes the clock.
 * - Sequences end with one end token and no padding is learned, unless the recipe asks for the original's padding.
 * - Selection may leave a group out (above-baseline) instead of always taking its best.
 */
import { rmSync, statSync } from 'node:fs'
import type { AdapterUse, Sampling, TrainedAdapter } from '../../src-shared/compute-protocol.ts'
import { AppError, type WireError } from '../../src-shared/errors.ts'
import { deriveSeed, shuffledIndices } from '../../src-shared/random.ts'
import { exhaustiveSize, type PromptStyle, type Recipe } from '../../src-shared/recipe.ts'
import type {
  CandidateRecord,
  EventInput,
  LedgerRow,
  LedgerTable,
  MeasurementInput,
  PolicyVersionRecord,
  RowFilter,
} from '../../src-shared/records.ts'
import { selfEditText, type SelfEditPromptKey } from '../../src-shared/self-edit-prompts.ts'
import { isFewShotTaskset, type AnyTaskset, type Task, type Taskset } from '../../src-shared/task.ts'
import { rowText, type TrainingRow } from '../../src-shared/training-row.ts'
import {
  innerLoopSettings,
  putExams,
  runTrials,
  type Answer,
  type AskedTrial,
  type EvaluatedTrial,
  type InnerLoopOptions,
  type InnerLoopSettings,
} from './inner-loop.ts'
import { fixedPrompts, repeated, shuffledChoice } from './control-arms.ts'
import { fewShotKind } from './few-shot.ts'
import { passageKind } from './passages.ts'
import { trainPolicy } from './policy.ts'
import type { LedgerPort, TeacherPort } from './ports.ts'
import { rewardOf, selectCandidates, type RewardedCandidate } from './rewards.ts'
import { sampleSelfEdits, type SelfEdit } from './self-edits.ts'
import { summarize } from './summary.ts'
import type { ExamHelp, Lesson, TaskKind } from './task-kind.ts'

export type SealOptions = Omit<InnerLoopOptions, keyof InnerLoopSettings> & {
  readonly ledger: LedgerPort
  readonly teacher?: TeacherPort
  readonly runId: string
  readonly recipe: Recipe
  readonly taskset: AnyTaskset
  readonly modelSha256: string
  readonly onProgress: (progress: SealProgress) => void
  /** Asked between units of work; true ends the run early with everything kept. */
  readonly isPaused: () => boolean
}

export type SealProgress = {
  readonly phase: 'evaluating' | 'writing' | 'trying' | 'learning'
  readonly text: string
  readonly done: number // units of work of the whole run
  readonly total: number
}

/** Thrown when the run is to stop for now: on request, or for a reason that has to be mended first. */
export class Paused extends Error {
  override readonly name = 'Paused'
  readonly reason: WireError | null

  constructor(reason: WireError | null) {
    super(reason?.message ?? 'The run was asked to pause.')
    this.reason = reason
  }
}

/** Self-edits are sampled for this many tasks at once. */
const tasksPerSampling = 8

/** Runs or goes on with a run until its results are in the ledger. Throws `Paused`, `cancelled`, what compute throws. */
export async function runSeal(options: SealOptions): Promise<void> {
  const { recipe, taskset } = options
  requireFitting(recipe, taskset)
  await (isFewShotTaskset(taskset)
    ? new SealRun({ ...options, taskset }, fewShotKind(recipe, options)).run()
    : new SealRun({ ...options, taskset }, passageKind(recipe)).run())
}

type RunOptions<Kind extends Task> = Omit<SealOptions, 'taskset'> & { readonly taskset: Taskset<Kind> }

class SealRun<Kind extends Task> {
  readonly #options: RunOptions<Kind>
  readonly #kind: TaskKind<Kind>
  readonly #recipe: Recipe
  readonly #inner: InnerLoopOptions
  #done = 0
  #roundNow: number | null = null // null before the first
  readonly #total: number

  constructor(options: RunOptions<Kind>, kind: TaskKind<Kind>) {
    const { recipe } = options
    this.#options = options
    this.#kind = kind
    this.#recipe = recipe
    this.#inner = { ...options, ...innerLoopSettings(recipe) }
    this.#total = unitsOf(recipe)
  }

  async run(): Promise<void> {
    const { outerLoop, evaluation } = this.#recipe
    const heldOut = this.#heldOutTasks()
    this.#once('policy_versions', { version: 0 }, () => [
      { table: 'policy_versions', version: 0, adapterSha256: null, parent: null, training: null },
    ])
    if (evaluation.arms.includes('frozen')) await this.#ask('frozen', heldOut, 'none')
    if (evaluation.arms.includes('passage-in-prompt'))
      await this.#ask('passage-in-prompt', heldOut, 'passage-in-prompt')
    for (const arm of ['bare-passage', 'fixed-configuration'] as const)
      if (evaluation.arms.includes(arm)) await this.#evaluate(arm, heldOut, 0)
    if (evaluation.arms.includes('untrained')) await this.#evaluate('policy-0', heldOut, 0)
    for (const arm of ['equal-steps', 'equal-tokens', 'fixed-prompts', 'gold-answers', 'teacher'] as const)
      if (evaluation.arms.includes(arm)) await this.#evaluate(arm, heldOut, 0)
    if (evaluation.arms.includes('retrieval')) await this.#ask('retrieval', heldOut, 'retrieval')
    for (let round = 0; round < outerLoop.rounds; round++) {
      this.#roundNow = round
      await this.#round(round)
      if (evaluation.arms.includes('each-round'))
        await this.#evaluate(`policy-${round + 1}`, heldOut, round + 1)
    }
    if (evaluation.arms.includes('shuffled-reward') && outerLoop.rounds > 0) {
      for (let round = 0; round < outerLoop.rounds; round++) await this.#learnShuffled(round)
      await this.#evaluate('shuffled-reward', heldOut, 2 * outerLoop.rounds)
    }
    if (evaluation.arms.includes('exhaustive')) await this.#evaluate('exhaustive', heldOut, 0)
    const { ledger, runId } = this.#options
    this.#once('results', { name: 'summary' }, () => [
      { table: 'results', name: 'summary', data: summarize(ledger, runId, this.#recipe, heldOut) },
    ])
  }

  async #round(round: number): Promise<void> {
    const tasks = this.#tasksOfRound(round)
    this.#once('rounds', { round }, () => [
      { table: 'rounds', round, policyVersion: round, tasks: tasks.map(({ id }) => id) },
    ])
    await this.#ask(`baseline-${round}`, tasks, 'none')
    const size = this.#recipe.selfEdit.groupSize
    const group = { arm: 'train', round, version: round, size }
    await this.#write(group, tasks)
    await this.#tryAll(group, tasks, this.#recipe.innerLoop.trials)
    this.#select(round, tasks)
    await this.#learn(round)
  }

  /** Self-edits of a policy (or the bare passage) for tasks it never learned from. */
  async #evaluate(arm: string, tasks: readonly Kind[], version: number): Promise<void> {
    const { samples, trials } = this.#recipe.evaluation
    const given = tasks[0] && this.#kind.givenSelfEdits(arm, tasks[0])
    const size = given?.length ?? (arm === 'fixed-prompts' || arm === 'teacher' ? 1 : samples)
    const group = { arm, round: version, version, size }
    await this.#write(group, tasks)
    await this.#tryAll(group, tasks, trials)
  }

  // ------------------------------------------------------------------------------------------ answering

  /** Answers of the base model without any adapter. */
  async #ask(arm: string, tasks: readonly Kind[], help: ExamHelp): Promise<void> {
    await this.#unit('answers', { arm }, 'evaluating', arm, async () => {
      const answers = await putExams(this.#inner, await this.#kind.exams(tasks, help), [])
      requireVerdicts(answers.flat())
      const rowsOf = (each: readonly Answer[], index: number): LedgerRow[] =>
        this.#answerRows(arm, null, null, tasks[index]!, each, arm)
      return { rows: answers.flatMap(rowsOf) }
    })
  }

  #answerRows(
    arm: string,
    policyVersion: number | null,
    trialId: string | null,
    task: Kind,
    answers: readonly Answer[],
    prefix: string,
  ): LedgerRow[] {
    const grader = this.#options.grader.name
    return answers.map(({ questionId, text, tokens, verdict, detail }) => ({
      table: 'answers',
      id: `${prefix}/${questionId}`,
      trialId,
      arm,
      policyVersion,
      taskId: task.id,
      questionId,
      text,
      tokens,
      verdict,
      grader,
      judge: detail,
    }))
  }

  // ------------------------------------------------------------------------------------------ writing

  async #write(group: Group, tasks: readonly Kind[]): Promise<void> {
    for (let from = 0; from < tasks.length; from += tasksPerSampling) {
      const some = tasks.slice(from, from + tasksPerSampling)
      const first = candidateId(group, some[0]!, 0)
      const place = `${some[0]!.title} and ${some.length - 1} more`
      await this.#unit('candidates', { id: first }, 'writing', place, async () => ({
        rows: await this.#sample(group, some),
      }))
    }
  }

  async #sample(group: Group, tasks: readonly Kind[]): Promise<LedgerRow[]> {
    const { prompts, promptStyle, temperature, topP, maxTokens } = this.#recipe.selfEdit
    const sampling = { temperature, topP, maxTokens, stop: [] }
    if (group.arm === 'teacher') return await this.#sampleTeacher(group, tasks)
    if (group.arm === 'fixed-prompts') return await this.#sampleFixed(group, tasks, sampling)
    const requests = tasks.flatMap((task) => {
      const given = this.#kind.givenSelfEdits(group.arm, task)
      return Array.from({ length: group.size }, (_, number) => ({
        task,
        number,
        given: given?.[number],
        promptKey: given ? ('none' as const) : prompts[number % prompts.length]!,
        seed: deriveSeed(this.#recipe.seed, ...streamOf(group), task.id, number),
      }))
    })
    const asked = requests.filter(({ promptKey }) => promptKey !== 'none')
    const policy = this.#policy(group.version)
    const edits = await this.#sampled({ promptStyle, policy, sampling }, asked)
    let next = 0
    return requests.map(({ task, number, given, promptKey, seed }) => {
      const edit = promptKey === 'none' ? nothingWritten : edits[next++]!
      const { tokens, finishReason, logProb } = edit.completion
      return {
        table: 'candidates',
        id: candidateId(group, task, number),
        arm: group.arm,
        round: group.round,
        taskId: task.id,
        number,
        policyVersion: group.version,
        promptKey,
        prompt: edit.prompt,
        sampling,
        seed,
        text: given ?? edit.completion.text,
        tokens,
        finishReason,
        logProb,
      }
    })
  }

  async #sampled(
    { promptStyle, policy, sampling }: Writing,
    requests: readonly {
      readonly task: Kind
      readonly promptKey: SelfEditPromptKey
      readonly seed: number
    }[],
  ): Promise<SelfEdit[]> {
    const { grammar, selfEditMessage } = this.#kind
    return await sampleSelfEdits(
      { ...this.#inner, promptStyle, ...(grammar !== undefined && { grammar }) },
      policy,
      requests.map(({ task, promptKey, seed }) => ({ ...selfEditMessage(promptKey, task), seed })),
      sampling,
    )
  }

  /** What somebody else writes when asked as the policy is. How it was sampled is not known here. */
  async #sampleTeacher(group: Group, tasks: readonly Kind[]): Promise<LedgerRow[]> {
    const { teacher, signal } = this.#options
    if (!teacher) throw new AppError('internal', 'The recipe has an arm "teacher", and nobody to ask.')
    const { prompts, maxTokens } = this.#recipe.selfEdit
    const key = prompts.find((each) => each !== 'none') ?? 'implications'
    const asked = tasks.map((task) => this.#kind.selfEditMessage(key, task).message)
    const texts = await teacher(asked, maxTokens, signal)
    return tasks.map((task, index) => ({
      table: 'candidates',
      ...{ id: candidateId(group, task, 0), arm: group.arm, round: group.round, taskId: task.id, number: 0 },
      ...{ policyVersion: group.version, promptKey: 'teacher', prompt: asked[index]!, sampling: null },
      ...{ seed: null, text: texts[index]!, tokens: null, finishReason: null, logProb: null },
    }))
  }

  /** One candidate of a task is the self-edits of all fixed prompts, one behind the other. */
  async #sampleFixed(group: Group, tasks: readonly Kind[], sampling: Sampling): Promise<LedgerRow[]> {
    const { promptStyle } = this.#recipe.selfEdit
    const seedOf = (task: Kind, number: number): number =>
      deriveSeed(this.#recipe.seed, ...streamOf(group), task.id, number)
    const requests = tasks.flatMap((task) =>
      fixedPrompts.map((promptKey, number) => ({ task, promptKey, seed: seedOf(task, number) })),
    )
    const policy = this.#policy(group.version)
    const edits = await this.#sampled({ promptStyle, policy, sampling }, requests)
    return tasks.map((task, index) => {
      const own = edits.slice(index * fixedPrompts.length, (index + 1) * fixedPrompts.length)
      const isCut = own.some(({ completion }) => completion.finishReason === 'length')
      return {
        table: 'candidates',
        ...{
          id: candidateId(group, task, 0),
          arm: group.arm,
          round: group.round,
          taskId: task.id,
          number: 0,
        },
        ...{ policyVersion: group.version, promptKey: 'fixed-prompts', sampling, seed: seedOf(task, 0) },
        prompt: own.map(({ prompt }) => prompt).join('\n\n'),
        text: own
          .map(({ completion }, place) => selfEditText(fixedPrompts[place]!, completion.text))
          .join('\n---\n'),
        tokens: own.reduce((sum, { completion }) => sum + completion.tokens, 0),
        finishReason: isCut ? 'length' : 'end',
        logProb: own.reduce((sum, { completion }) => sum + completion.logProb, 0),
      }
    })
  }

  /** The policy's adapters; none for the untrained policy. */
  #policy(version: number): AdapterUse[] {
    const { adapterSha256 } = this.#policyVersion(version)
    return adapterSha256 === null ? [] : [{ path: this.#options.ledger.blobPath(adapterSha256), scale: 1 }]
  }

  // ------------------------------------------------------------------------------------------ trying

  /** In units of as many tasks as have their adapters trained together. */
  async #tryAll(group: Group, tasks: readonly Kind[], trials: number): Promise<void> {
    const size = tasksPerTrying(this.#recipe, group.size * trials)
    for (let from = 0; from < tasks.length; from += size)
      await this.#try(group, tasks.slice(from, from + size), trials)
  }

  /** All trials of the tasks' groups: adapters trained together, answers, rewards. */
  async #try(group: Group, tasks: readonly Kind[], trials: number): Promise<void> {
    const { ledger, runId } = this.#options
    const id = `${candidateId(group, tasks[0]!, 0)}/0`
    const place = `${group.arm}: ${tasks.map(({ title }) => title).join(', ')}`
    await this.#unit('trials', { id }, 'trying', place, async () => {
      const planned = tasks.flatMap((task) =>
        ledger
          .rows('candidates', runId, { arm: group.arm, round: group.round, taskId: task.id })
          .flatMap((candidate) =>
            Array.from({ length: trials }, (_, number) => this.#planTrial(group, task, candidate, number)),
          ),
      )
      const inputs = await this.#prepared(group, tasks, planned)
      const outcomes = await runTrials(this.#inner, inputs)
      const rows = inputs.flatMap((input, index) => this.#trialRows(group, input, outcomes[index]!))
      const rewards = this.#rewardRows(group, inputs, rows)
      const adapters = this.#keepAdapters(group, inputs, outcomes, rewards)
      return {
        rows: [...rows, ...adapters, ...rewards],
        measured: inputs.map(({ id }, index) => ({
          subject: id,
          name: 'seconds',
          value: outcomes[index]!.seconds,
        })),
        events: inputs.flatMap((input, index) => failureEvents(input, outcomes[index]!)),
      }
    })
  }

  #planTrial(group: Group, task: Kind, candidate: CandidateRecord, number: number): PlannedTrial<Kind> {
    return {
      id: `${candidate.id}/${number}`,
      candidate,
      number,
      task,
      selfEdit: selfEditText(candidate.promptKey, candidate.text),
      seed: deriveSeed(this.#recipe.seed, ...streamOf(group), task.id, candidate.number, number),
    }
  }

  /** What is trained and what is asked, for each trial. */
  async #prepared(
    group: Group,
    tasks: readonly Kind[],
    planned: readonly PlannedTrial<Kind>[],
  ): Promise<TrialOfCandidate<Kind>[]> {
    const lessons = await this.#kind.lessons(planned)
    const exams = await this.#kind.exams(tasks, 'none')
    return planned.map((trial, index) => ({
      ...trial,
      ...lessons[index]!,
      rows: this.#repeatedAsNeeded(group.arm, trial.task, lessons[index]!.rows),
      exam: exams[tasks.indexOf(trial.task)]!,
      name: `trial-${index}`,
    }))
  }

  /** Arms of equal training follow the first self-edit of the untrained policy for the same task. */
  #repeatedAsNeeded(arm: string, { id: taskId }: Kind, rows: readonly TrainingRow[]): readonly TrainingRow[] {
    if (arm !== 'equal-steps' && arm !== 'equal-tokens') return rows
    const { ledger, runId } = this.#options
    const [candidate] = ledger.rows('candidates', runId, { arm: 'policy-0', taskId, number: 0 })
    const [trial] = candidate ? ledger.rows('trials', runId, { candidateId: candidate.id }) : []
    return trial ? repeated(rows.map(rowText), trial.sequences, arm).map((text) => ({ text })) : rows
  }

  #trialRows(group: Group, trial: TrialOfCandidate<Kind>, outcome: EvaluatedTrial): LedgerRow[] {
    const { id, candidate, number, task, seed, rows, config } = trial
    const done = outcome.status === 'done' ? outcome : null
    const row: LedgerRow = {
      table: 'trials',
      id,
      candidateId: candidate.id,
      number,
      seed,
      config,
      sequences: rows.map(rowText),
      status: outcome.status === 'failed' ? 'failed' : 'done',
      // Without its data: the last words of a process are not the same each time.
      error:
        outcome.status === 'failed' ? { code: outcome.error.code, message: outcome.error.message } : null,
      steps: done?.trained.steps ?? 0,
      losses: done?.trained.losses ?? null,
      adapterSha256: done?.trained.sha256 ?? null,
    }
    if (outcome.status === 'failed') return [row]
    return [row, ...this.#answerRows(group.arm, group.version, id, task, outcome.answers, id)]
  }

  /** One adapter of a candidate stays at the most; the others can be made again from their rows. */
  #keepAdapters(
    group: Group,
    trials: readonly TrialOfCandidate<Kind>[],
    outcomes: readonly EvaluatedTrial[],
    rewards: readonly RewardRow[],
  ): LedgerRow[] {
    const wanted = this.#candidatesToKeep(group, trials, rewards)
    return trials.flatMap(({ candidate }, index) => {
      const outcome = outcomes[index]!
      if (outcome.status !== 'done') return []
      if (wanted.delete(candidate.id)) return [this.#keep(outcome)]
      rmSync(outcome.path)
      return []
    })
  }

  /** Decided with the rewards of a group, so that nothing enters the store to leave it again. */
  #candidatesToKeep(
    { arm }: Group,
    trials: readonly TrialOfCandidate<Kind>[],
    rewards: readonly RewardRow[],
  ): Set<string> {
    const { innerLoop, selection, reward } = this.#recipe
    const every = new Map(trials.map(({ candidate }) => [candidate.id, candidate]))
    if (innerLoop.keepAdapters === 'all') return new Set(every.keys())
    if (innerLoop.keepAdapters === 'none' || arm !== 'train') return new Set()
    if (selection.rule === 'top-fraction') return new Set(every.keys()) // which are chosen among all of the round
    const rewarded = rewards.map(({ candidateId, value, baseline }) => {
      return { candidate: every.get(candidateId)!, reward: value, baseline }
    })
    const groups = Map.groupBy(rewarded, ({ candidate }) => candidate.taskId)
    return new Set(selectCandidates(selection, reward, [...groups.values()]).map(({ id }) => id))
  }

  #keep({ path, trained }: { readonly path: string; readonly trained: TrainedAdapter }): LedgerRow {
    const { ledger, modelSha256, recipe } = this.#options
    const sizeBytes = statSync(path).size
    return {
      table: 'adapters',
      sha256: ledger.adoptBlob(path),
      kind: 'trial',
      lora: recipe.innerLoop.lora,
      baseSha256: modelSha256,
      parents: [],
      steps: trained.steps,
      sizeBytes,
    }
  }

  #rewardRows(
    group: Group,
    inputs: readonly TrialOfCandidate<Kind>[],
    rows: readonly LedgerRow[],
  ): RewardRow[] {
    const { ledger, runId, recipe } = this.#options
    const answers = rows.filter((row) => row.table === 'answers')
    const baselineArm = group.arm === 'train' ? `baseline-${group.round}` : 'frozen'
    return [...Map.groupBy(inputs, ({ candidate }) => candidate.id)].map(([candidateId, trials]) => {
      const sets = trials.map(({ id }) => answers.filter(({ trialId }) => trialId === id))
      const baseline = ledger.rows('answers', runId, { arm: baselineArm, taskId: trials[0]!.task.id })
      return { table: 'rewards', candidateId, ...rewardOf(recipe.reward, sets, baseline) }
    })
  }

  // ------------------------------------------------------------------------------------------ learning

  #select(round: number, tasks: readonly Kind[]): void {
    const { ledger, runId, recipe } = this.#options
    if (ledger.rows('selections', runId, { round }).length > 0) return
    const groups = tasks.map(({ id: taskId }) =>
      ledger
        .rows('candidates', runId, { arm: 'train', round, taskId })
        .map((candidate): RewardedCandidate => {
          const [reward] = ledger.rows('rewards', runId, { candidateId: candidate.id })
          return { candidate, reward: reward?.value ?? null, baseline: reward?.baseline ?? null }
        }),
    )
    ledger.commit(
      runId,
      selectCandidates(recipe.selection, recipe.reward, groups).map(({ id }) => ({
        table: 'selections',
        candidateId: id,
        round,
        rule: recipe.selection.rule,
      })),
    )
  }

  /** The M-step: policy version round + 1 goes on from version round. Without a selection it stays as it is. */
  async #learn(round: number): Promise<void> {
    const { ledger, runId, recipe, modelSha256 } = this.#options
    const version = round + 1
    await this.#unit('policy_versions', { version }, 'learning', `policy ${version}`, async () => {
      const chosen = new Set(ledger.rows('selections', runId, { round }).map((row) => row.candidateId))
      const candidates = ledger
        .rows('candidates', runId, { arm: 'train', round })
        .filter(({ id, text }) => chosen.has(id) && text !== '')
      const parent = this.#policyVersion(round).adapterSha256
      if (candidates.length === 0) {
        const training = { note: 'Nothing was selected: the policy stays as it was.' }
        return {
          rows: [{ table: 'policy_versions', version, adapterSha256: parent, parent: round, training }],
        }
      }
      const seed = deriveSeed(recipe.seed, 'policy', version)
      const { trained, path } = await trainPolicy(this.#inner, recipe.outerLoop, candidates, {
        name: `policy-${version}`,
        seed,
        parentPath: parent === null ? null : ledger.blobPath(parent),
      })
      const sizeBytes = statSync(path).size
      const sha256 = ledger.adoptBlob(path)
      const { steps, losses } = trained
      const training = { seed, steps, losses, candidates: candidates.map(({ id }) => id) }
      const adapter: LedgerRow = {
        table: 'adapters',
        sha256,
        kind: 'policy',
        lora: recipe.outerLoop.lora,
        baseSha256: modelSha256,
        parents: parent === null ? [] : [parent],
        steps,
        sizeBytes,
      }
      return {
        rows: [
          adapter,
          { table: 'policy_versions', version, adapterSha256: sha256, parent: round, training },
        ],
      }
    })
  }

  /** The control of the policy: as many self-edits of the same groups, without asking for their rewards. */
  async #learnShuffled(round: number): Promise<void> {
    const { ledger, runId, recipe, modelSha256 } = this.#options
    const version = recipe.outerLoop.rounds + round + 1
    await this.#unit(
      'policy_versions',
      { version },
      'learning',
      `shuffled rewards ${round + 1}`,
      async () => {
        const parent = round === 0 ? 0 : version - 1
        const parentSha256 = this.#policyVersion(parent).adapterSha256
        const selected = new Set(ledger.rows('selections', runId, { round }).map((row) => row.candidateId))
        const written = ledger.rows('candidates', runId, { arm: 'train', round })
        const candidates = shuffledChoice(written, selected, recipe.seed, round)
        const note = 'Learned from rewards that were dealt out at random: a control.'
        if (candidates.length === 0) {
          const row = { version, adapterSha256: parentSha256, parent, training: { note } }
          return { rows: [{ table: 'policy_versions', ...row }] }
        }
        const seed = deriveSeed(recipe.seed, 'policy', round + 1) // the real policy's
        const { trained, path } = await trainPolicy(this.#inner, recipe.outerLoop, candidates, {
          name: `policy-${version}`,
          seed,
          parentPath: parentSha256 === null ? null : ledger.blobPath(parentSha256),
        })
        const sizeBytes = statSync(path).size
        const sha256 = ledger.adoptBlob(path)
        const { steps, losses } = trained
        const training = { note, seed, steps, losses, candidates: candidates.map(({ id }) => id) }
        const parents = parentSha256 === null ? [] : [parentSha256]
        return {
          rows: [
            {
              table: 'adapters',
              sha256,
              kind: 'policy',
              lora: recipe.outerLoop.lora,
              baseSha256: modelSha256,
              parents,
              steps,
              sizeBytes,
            },
            { table: 'policy_versions', version, adapterSha256: sha256, parent, training },
          ],
        }
      },
    )
  }

  #policyVersion(version: number): PolicyVersionRecord {
    const { ledger, runId } = this.#options
    const [policy] = ledger.rows('policy_versions', runId, { version })
    if (!policy) throw new AppError('internal', `There is no policy version ${version}.`)
    return policy
  }

  // ------------------------------------------------------------------------------------------ units of work

  /** Does the work unless the ledger holds the row that it would begin with; commits all its rows at once. */
  async #unit<T extends LedgerTable>(
    table: T,
    first: RowFilter<T>,
    phase: SealProgress['phase'],
    text: string,
    work: () => Promise<UnitResult>,
  ): Promise<void> {
    const { ledger, runId, signal, isPaused, onProgress } = this.#options
    if (ledger.rows(table, runId, first).length === 0) {
      signal.throwIfAborted()
      if (isPaused()) throw new Paused(null)
      onProgress({ phase, text, done: this.#done, total: this.#total })
      const started = performance.now()
      const { rows, measured = [], events = [] } = await work()
      const seconds = (performance.now() - started) / 1000
      const rewards = rows.flatMap((row) => (row.table === 'rewards' ? [row.value] : []))
      const place = { phase, round: this.#roundNow, text, done: this.#done + 1, total: this.#total }
      ledger.commit(runId, this.#withoutKnownAdapters(rows), {
        measurements: measured,
        events: [...events, { type: 'unit', data: { ...place, seconds, rewards } }],
      })
    }
    this.#done++
  }

  /** Two trainings can give the same bytes: their file is recorded once. */
  #withoutKnownAdapters(rows: readonly LedgerRow[]): LedgerRow[] {
    const { ledger, runId } = this.#options
    const known = new Set<string>()
    return rows.filter((row) => {
      if (row.table !== 'adapters') return true
      const { sha256 } = row
      if (known.has(sha256) || ledger.rows('adapters', runId, { sha256 }).length > 0) return false
      return known.add(sha256)
    })
  }

  #once<T extends LedgerTable>(table: T, where: RowFilter<T>, rows: () => LedgerRow[]): void {
    const { ledger, runId } = this.#options
    if (ledger.rows(table, runId, where).length === 0) ledger.commit(runId, rows())
  }

  // ------------------------------------------------------------------------------------------ tasks

  #heldOutTasks(): readonly Kind[] {
    const { split, tasks } = this.#recipe.evaluation
    return this.#options.taskset.splits[split].slice(0, tasks)
  }

  /** From the shuffled training split: the next ones if tasks are not to come back, else the same ones. */
  #tasksOfRound(round: number): readonly Kind[] {
    const { tasksPerRound, distinctTasks } = this.#recipe.outerLoop
    const { train } = this.#options.taskset.splits
    const order = shuffledIndices(train.length, this.#recipe.seed, 'tasks')
    const from = distinctTasks ? round * tasksPerRound : 0
    return Array.from(order.subarray(from, from + tasksPerRound), (index) => train[index]!)
  }
}

/** Candidates that are sampled together: who writes them, and how many per task. */
type Group = {
  readonly arm: string
  readonly round: number
  readonly version: number
  readonly size: number
}

/** All arms of an evaluation draw the same random numbers, so that a difference between two is not one of luck. */
function streamOf({ arm, round }: Group): readonly (string | number)[] {
  return arm === 'train' ? [arm, round] : ['evaluation']
}

type Writing = {
  readonly promptStyle: PromptStyle
  readonly policy: readonly AdapterUse[]
  readonly sampling: Sampling
}

type PlannedTrial<Kind extends Task> = {
  readonly id: string
  readonly candidate: CandidateRecord
  readonly number: number
  readonly task: Kind
  readonly selfEdit: string
  readonly seed: number
}

type TrialOfCandidate<Kind extends Task> = PlannedTrial<Kind> & AskedTrial & Lesson

type RewardRow = Extract<LedgerRow, { readonly table: 'rewards' }>

type UnitResult = {
  readonly rows: readonly LedgerRow[]
  readonly measured?: readonly MeasurementInput[]
  readonly events?: readonly EventInput[]
}

/** The whole error of a failed trial, of which its row keeps what is the same each time. */
function failureEvents({ id }: TrialOfCandidate<Task>, outcome: EvaluatedTrial): EventInput[] {
  return outcome.status === 'failed' ? [{ type: 'trial-failed', data: { id, error: outcome.error } }] : []
}

/** A judge that has no verdict for a whole arm would leave the run without a result: better to stop and have it mended. */
function requireVerdicts(answers: readonly Answer[]): void {
  const judged = answers.filter(({ text }) => text !== '')
  if (judged.length < 2 || judged.some(({ verdict }) => verdict !== 'ungraded')) return
  const { detail } = judged[0]!
  const reason = typeof detail === 'string' ? detail : 'no reason given'
  const message = `None of ${judged.length} answers could be graded (${reason}). Mend the judge.`
  throw new Paused({ code: 'not_found', message })
}

const nothingWritten = {
  prompt: '',
  completion: { text: '', tokens: 0, finishReason: 'end', seed: 0, logProb: 0 },
} satisfies SelfEdit

function candidateId({ arm, round }: Group, { id }: Task, number: number): string {
  return `${arm === 'train' ? `round-${round}` : arm}/${id}/${number}`
}

/** Throws `invalid_input` if the tasks are of another kind than the recipe is for. */
export function requireKind({ fewShot }: Recipe, taskset: AnyTaskset): void {
  if (isFewShotTaskset(taskset) === (fewShot !== undefined)) return
  const message = fewShot
    ? `The recipe has [few-shot] settings, but ${taskset.name} has passages. Take those settings out, or choose a taskset of puzzles.`
    : `${taskset.name} has puzzles, but the recipe has no [few-shot] settings. Start from the recipe grid-demo, or choose a taskset of passages.`
  throw new AppError('invalid_input', message)
}

/** Throws `invalid_input` if the tasks are of another kind than the recipe is for, or fewer than it asks for. */
export function requireFitting(recipe: Recipe, taskset: AnyTaskset): void {
  requireKind(recipe, taskset)
  const { outerLoop, evaluation } = recipe
  const { rounds, tasksPerRound, distinctTasks } = outerLoop
  const training = rounds === 0 ? 0 : distinctTasks ? rounds * tasksPerRound : tasksPerRound
  const needs = [
    ['train', training],
    [evaluation.split, evaluation.tasks],
  ] as const
  for (const [split, needed] of needs) {
    const available = taskset.splits[split].length
    if (needed <= available) continue
    const message = `The recipe needs ${needed} tasks of the ${split} split, but ${taskset.name} has ${available}. Ask for fewer, or choose another taskset.`
    throw new AppError('invalid_input', message, { needed, available })
  }
}

/** How many tasks' trials make one unit of work. */
function tasksPerTrying({ compute }: Recipe, trialsPerTask: number): number {
  const { adaptersAtOnce, pairs } = compute
  if (pairs === 1) return Math.max(1, Math.floor(adaptersAtOnce / trialsPerTask))
  return Math.ceil((2 * pairs * adaptersAtOnce) / trialsPerTask) // some for each, lest they wait for the last
}

/** How many units of work a run has: for progress, and to say how long is left. */
function unitsOf(recipe: Recipe): number {
  const { outerLoop, evaluation, selfEdit, innerLoop } = recipe
  const taughtUnits = (tasks: number, groupSize: number, trials: number): number =>
    Math.ceil(tasks / tasksPerSampling) + Math.ceil(tasks / tasksPerTrying(recipe, groupSize * trials))
  const armUnits = (arm: Recipe['evaluation']['arms'][number]): number => {
    const { tasks, samples, trials } = evaluation
    switch (arm) {
      case 'frozen':
      case 'passage-in-prompt':
        return 1
      case 'exhaustive':
        return taughtUnits(tasks, exhaustiveSize(recipe), trials)
      case 'bare-passage':
      case 'fixed-configuration':
      case 'equal-steps':
      case 'equal-tokens':
      case 'gold-answers':
      case 'fixed-prompts':
      case 'teacher':
        return taughtUnits(tasks, 1, trials)
      case 'retrieval':
        return 1
      case 'shuffled-reward':
        return outerLoop.rounds === 0 ? 0 : outerLoop.rounds + taughtUnits(tasks, samples, trials)
      case 'untrained':
        return taughtUnits(tasks, samples, trials)
      case 'each-round':
        return outerLoop.rounds * taughtUnits(tasks, samples, trials)
    }
  }
  const arms = [...new Set(evaluation.arms)].reduce((sum, arm) => sum + armUnits(arm), 0)
  const round = 2 + taughtUnits(outerLoop.tasksPerRound, selfEdit.groupSize, innerLoop.trials)
  return arms + outerLoop.rounds * round
}
