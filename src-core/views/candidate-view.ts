/** Everything about one candidate: the evidence page behind a reward. */
import type {
  CandidateView,
  PuzzleFacts,
  QuestionOutcome,
  SiblingView,
  TrialView,
} from '../../src-shared/api/workbench.ts'
import { AppError } from '../../src-shared/errors.ts'
import { readConfiguration } from '../../src-shared/few-shot/configuration.ts'
import { recipeSchema } from '../../src-shared/recipe.ts'
import type { AnswerRecord, CandidateRecord, Run, TrialRecord } from '../../src-shared/records.ts'
import { selfEditText } from '../../src-shared/self-edit-prompts.ts'
import { isFewShot, type Question, type Task } from '../../src-shared/task.ts'
import type { Store } from '../store/store.ts'

/** Throws `not_found`. */
export function viewCandidate(store: Store, runId: string, candidateId: string): CandidateView {
  const run = store.run(runId)
  const [candidate] = store.rows('candidates', runId, { id: candidateId })
  if (!candidate) {
    const message = `Run ${runId} has no candidate ${candidateId}. Open the run to see which there are.`
    throw new AppError('not_found', message, { runId, candidateId })
  }
  const task = store.screens.task(run.tasksetSha256, candidate.taskId)
  const [reward = null] = store.rows('rewards', runId, { candidateId })
  return {
    runId,
    runName: run.name,
    candidate,
    selfEdit: selfEditText(candidate.promptKey, candidate.text),
    task,
    puzzle: isFewShot(task) ? puzzleFacts(run, candidate) : null,
    trials: trialsOf(store, runId, candidate, task),
    reward,
    rewardDefinition: inWords(reward?.definition ?? definitionOf(run)),
    selections: store.rows('selections', runId, { candidateId }),
    siblings: siblingsOf(store, runId, candidate),
    reviews: store.screens.reviews(runId, candidateId),
    ...store.screens.neighbours(runId, candidate.arm, candidateId),
  }
}

function trialsOf(store: Store, runId: string, candidate: CandidateRecord, task: Task): TrialView[] {
  const before = answersByQuestion(answersWithout(store, runId, candidate))
  const answers = Map.groupBy(store.answersOfCandidate(runId, candidate.id), ({ trialId }) => trialId)
  return store.rows('trials', runId, { candidateId: candidate.id }).map((trial) => {
    const after = answersByQuestion(answers.get(trial.id) ?? [])
    return {
      ...trial,
      outcomes: task.questions.map((question) => outcomeOf(question, before, after)),
      seconds: store.measurements(runId, trial.id).findLast(({ name }) => name === 'seconds')?.value ?? null,
      isAdapterKept: isKept(store, runId, trial),
    }
  })
}

const isKept = (store: Store, runId: string, { adapterSha256 }: TrialRecord): boolean =>
  adapterSha256 !== null && store.screens.isAdapterKept(runId, adapterSha256)

/** The base model's answers about the task: those of the evaluation, else those that the round began with. */
function answersWithout(
  store: Store,
  runId: string,
  { round, taskId }: CandidateRecord,
): readonly AnswerRecord[] {
  const frozen = store.rows('answers', runId, { arm: 'frozen', taskId })
  return frozen.length > 0 ? frozen : store.rows('answers', runId, { arm: `baseline-${round}`, taskId })
}

type Answers = ReadonlyMap<string, AnswerRecord>

const answersByQuestion = (answers: readonly AnswerRecord[]): Answers =>
  new Map(answers.map((answer) => [answer.questionId, answer]))

function outcomeOf(question: Question, before: Answers, after: Answers): QuestionOutcome {
  const answers = { before: before.get(question.id) ?? null, after: after.get(question.id) ?? null }
  return { question, ...answers, flip: flipOf(answers) }
}

function flipOf({ before, after }: Pick<QuestionOutcome, 'before' | 'after'>): QuestionOutcome['flip'] {
  if (before?.verdict === 'incorrect' && after?.verdict === 'correct') return 'gained'
  return before?.verdict === 'correct' && after?.verdict === 'incorrect' ? 'lost' : null
}

function siblingsOf(
  store: Store,
  runId: string,
  { arm, round, taskId }: CandidateRecord,
): readonly SiblingView[] {
  return store.rows('candidates', runId, { arm, round, taskId }).map(({ id, number, promptKey, text }) => ({
    id,
    number,
    selfEdit: selfEditText(promptKey, text),
    reward: store.rows('rewards', runId, { candidateId: id })[0]?.value ?? null,
    isSelected: store.rows('selections', runId, { candidateId: id }).length > 0,
  }))
}

/** The self-edit is read by the rules that the loop read it by; those of a run without a recipe are ours. */
function puzzleFacts({ config }: Run, { promptKey, text }: CandidateRecord): PuzzleFacts {
  const recipe = recipeSchema.safeParse(config).data
  const originalNoOps = recipe?.fewShot?.originalRules ?? false
  return {
    text: recipe?.fewShot?.text ?? null,
    promptStyle: recipe?.selfEdit.promptStyle ?? 'completion',
    configuration: readConfiguration(selfEditText(promptKey, text), { originalNoOps }),
  }
}

/** What the recipe of a run says; '' for a run without one. */
function definitionOf({ config }: Run): string {
  const { reward } = (config ?? {}) as { readonly reward?: unknown } // sound: only looked at
  return typeof reward === 'string' ? reward : ''
}

const definitions: Readonly<Record<string, string>> = {
  accuracy: 'Accuracy: correct answers as a share of the graded ones, averaged over the trials.',
  gain: 'Gain: the accuracy with the adapter, averaged over the trials, minus the accuracy of the base model on the same questions.',
  solved:
    'Solved: 1 if every test input of the puzzle was answered correctly, in one of two attempts, else 0; averaged over the trials.',
  improvement:
    'Improvement: 1 if the accuracy with the adapter, averaged over the trials, is above that of the base model on the same questions, else 0.',
}

const inWords = (definition: string): string =>
  Object.hasOwn(definitions, definition) ? definitions[definition]! : definition
