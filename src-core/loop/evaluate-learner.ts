/**
 * How well a model can be taught, and how much its own self-edits differ in value: the numbers that say whether the
 * outer loop has something to learn. Passages weigh equally (macro average); intervals are over passages.
 */
import type { Sampling } from '../../src-shared/compute-protocol.ts'
import type { LearnerReport } from '../../src-shared/learner-report.ts'
import type { ArmSummary } from '../../src-shared/run-summary.ts'
import { deriveSeed } from '../../src-shared/random.ts'
import { selfEditMessage, selfEditText, type PassagePromptKey } from '../../src-shared/self-edit-prompts.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import { varianceComponents } from '../../src-shared/stats/variance-components.ts'
import type { PromptStyle } from '../../src-shared/recipe.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { runTrials, type Answer, type InnerLoopOptions } from './inner-loop.ts'
import { answerTasks, passageExam } from './passages.ts'
import { goldSelfEdit } from './control-arms.ts'
import { accuracyOf, meanAccuracyOf } from './rewards.ts'
import { sampleSelfEdits } from './self-edits.ts'
import { summarizeArm } from './summary.ts'
import { trainTexts, type TrainSequenceRules } from './train-sequences.ts'

export type LearnerOptions = InnerLoopOptions & {
  readonly tasks: readonly PassageTask[]
  readonly promptKey: PassagePromptKey
  readonly promptStyle: PromptStyle
  readonly sampling: Sampling
  readonly rules: TrainSequenceRules
  readonly samples: number // self-edits per passage
  readonly trials: number // per text that is learned
  readonly seed: number
  readonly onProgress: (arm: string, done: number, total: number) => void
}

/** `perPassage` holds each passage's sets of answers; a passage counts with the mean of its sets' accuracies. */
function armResult(
  name: string,
  perPassage: readonly (readonly (readonly Answer[])[])[],
  seed: number,
): ArmSummary {
  const accuracies = perPassage.map(meanAccuracyOf).filter((accuracy) => accuracy !== null)
  return summarizeArm(name, perPassage.flat(2), accuracies, seed)
}

/** Throws what the compute processes throw. A failed trial is left out and counted. */
export async function evaluateLearner(options: LearnerOptions): Promise<LearnerReport> {
  const { tasks, seed, rules, onProgress } = options
  const ask = async (passageInPrompt: boolean): Promise<Answer[][][]> => {
    const answers = await answerTasks(
      options,
      tasks.map((task) => ({ task, passageInPrompt })),
      [],
    )
    return answers.map((each) => [each])
  }
  onProgress('passage in the prompt', 0, 1)
  const openBook = await ask(true)
  onProgress('closed book', 0, 1)
  const frozen = await ask(false)
  const atOnce = options.adaptersAtOnce * options.pairs * 4
  const seconds: number[] = []
  const teach = async (
    name: string,
    edits: readonly { task: PassageTask; text: string }[],
    trials: number,
  ): Promise<Answer[][][]> => {
    const inputs = edits.flatMap(({ task, text }, edit) =>
      Array.from({ length: trials }, (_, trial) => ({
        exam: passageExam(task, false),
        rows: trainTexts(text, task, rules).map((row) => ({ text: row })),
        name: `trial-${(edit * trials + trial) % atOnce}`,
        seed: deriveSeed(seed, name, task.id, edit, trial),
      })),
    )
    const answers: Answer[][][] = edits.map(() => [])
    for (let from = 0; from < inputs.length; from += atOnce) {
      onProgress(name, from, inputs.length)
      const outcomes = await runTrials(options, inputs.slice(from, from + atOnce))
      seconds.push(...outcomes.map((outcome) => outcome.seconds))
      for (const [index, outcome] of outcomes.entries()) {
        const set = answers[Math.floor((from + index) / trials)]!
        if (outcome.status === 'failed') failedTrials++
        else set.push([...outcome.answers])
      }
    }
    return answers
  }
  let failedTrials = 0
  const bare = await teach(
    'bare passage',
    tasks.map((task) => ({ task, text: '' })),
    options.trials,
  )
  const oracle = await teach(
    'complete questions and answers',
    tasks.map((task) => ({ task, text: goldSelfEdit(task) })),
    options.trials,
  )
  const requests = tasks.flatMap((task) =>
    Array.from({ length: options.samples }, (_, sample) => ({
      task,
      ...selfEditMessage(options.promptKey, task),
      seed: deriveSeed(seed, 'sample', task.id, sample),
    })),
  )
  onProgress('writing self-edits', 0, 1)
  const edits = await sampleSelfEdits(options, [], requests, options.sampling)
  seconds.length = 0
  const taught = await teach(
    'self-edits',
    edits.map(({ completion }, index) => ({
      task: requests[index]!.task,
      text: selfEditText(options.promptKey, completion.text),
    })),
    options.trials,
  )
  const innerLoopSeconds = meanOf(seconds)

  const groups = tasks.map((_, index) => taught.slice(index * options.samples, (index + 1) * options.samples))
  const complete = groups
    .map((group) => group.filter((sets) => sets.length === options.trials))
    .filter((group) => group.length > 1)
  const rewards = complete.map((group) => group.map((sets) => sets.map((set) => accuracyOf(set) ?? 0)))
  const variance = options.trials > 1 ? varianceComponents(rewards) : null
  const best = groups.map((group) => bestByFirstTrial(group))
  return {
    arms: [
      armResult('passage in the prompt', openBook, seed),
      armResult('closed book', frozen, seed),
      armResult('bare passage', bare, seed),
      armResult(
        'one self-edit',
        groups.map((group) => group.flat()),
        seed,
      ),
      armResult(
        `best of ${options.samples}, same questions`,
        best.map((sets) => sets.slice(0, 1)),
        seed,
      ),
      armResult(
        `best of ${options.samples}, other seeds`,
        best.map((sets) => sets.slice(1)),
        seed,
      ),
      armResult('complete questions and answers', oracle, seed),
    ],
    rewardReliability: variance?.reliability ?? null,
    rewardReliabilityOfMean: variance?.reliabilityOfMean ?? null,
    innerLoopSeconds,
    failedTrials,
  }
}

/** The sets of answers of the candidate whose first trial is best, ties to the earliest. */
function bestByFirstTrial(group: readonly (readonly Answer[][])[]): readonly Answer[][] {
  let best: readonly Answer[][] = []
  let highest = -1
  for (const sets of group) {
    const accuracy = sets[0] ? accuracyOf(sets[0]) : null
    if (accuracy !== null && accuracy > highest) {
      best = sets
      highest = accuracy
    }
  }
  return best
}
