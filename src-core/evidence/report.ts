/** Builds the report of one or several runs from their ledgers alone. */
import type {
  ContinualMatrix,
  Effort,
  EvidenceReport,
  ReportArm,
  ReportRun,
} from '../../src-shared/api/evidence.ts'
import { canonicalJson, type Json } from '../../src-shared/canonical-json.ts'
import { AppError } from '../../src-shared/errors.ts'
import { meanOf } from '../../src-shared/stats/means.ts'
import type { Store } from '../store/store.ts'
import { auditRuns } from './audits.ts'
import { differencesOf, everyPair, sideOf } from './differences.ts'
import { findRun, isEvaluated, mainArm, readEvidence, type RunEvidence, wordsOf } from './evidence.ts'
import { bcaOfArm, lineOfArm } from './lines.ts'

/** `names` as findRun takes them; the same run named twice is one. Throws as findRun. */
export function reportOf(store: Store, names: readonly string[]): EvidenceReport {
  const known = store.runs()
  const runs = [...new Map(names.map((name) => findRun(known, name)).map((run) => [run.id, run])).values()]
  if (runs.length === 0) throw new AppError('invalid_input', 'Name at least one run.')
  const evidence = runs.map((run) => readEvidence(store, run))
  const differences = differencesOf([
    ...everyPair(
      evidence.flatMap((each) => {
        const arm = mainArm(each)
        return arm === null ? [] : [sideOf(each, arm, each.run.id)]
      }),
    ),
    ...evidence.flatMap((each) => everyPair(armSides(each))),
  ])
  const lines = evidence.map(reportRun)
  return {
    runs: lines,
    differences,
    continual: evidence.flatMap(continualOf),
    findings: auditRuns(evidence, lines, differences),
  }
}

/** Named run/arm, those of a single run among each other. */
function armSides(evidence: RunEvidence) {
  return [...evidence.arms.keys()]
    .filter(isEvaluated)
    .map((arm) => sideOf(evidence, arm, `${evidence.run.id}/${arm}`))
}

function reportRun(evidence: RunEvidence): ReportRun {
  const { run } = evidence
  const arm = mainArm(evidence)
  const arms = [...evidence.arms.keys()].map((name) => reportArm(evidence, name))
  const main = arms.find(({ name }) => name === arm) ?? reportArm(evidence, arm)
  return {
    ...main,
    name: run.id,
    id: run.id,
    tasks: wordsOf(evidence).tasks,
    arm,
    bca: bcaOfArm(evidence, arm),
    adapterBytes: evidence.adapterBytes,
    arms,
    model: evidence.modelName,
    seed: run.seed,
    settings: canonicalJson(evidence.settings as Json, 'the settings'), // sound: it comes from a JSON column
    codeVersion: run.codeVersion,
    ledger: evidence.ledger,
  }
}

function reportArm(evidence: RunEvidence, arm: string | null): ReportArm {
  const answers = evidence.arms.get(arm ?? '')?.length ?? 0
  return { ...lineOfArm(evidence, arm, arm ?? ''), ...effortOf(evidence, arm), answers }
}

function effortOf(evidence: RunEvidence, arm: string | null): Effort {
  const trials = evidence.candidates
    .filter(({ candidate }) => candidate.arm === arm)
    .flatMap(({ trials }) => trials.map(({ trial }) => trial))
  const timed = trials.map(({ id }) => evidence.seconds.get(id)).filter((seconds) => seconds !== undefined)
  return {
    seconds: timed.length > 0 ? timed.reduce((sum, seconds) => sum + seconds, 0) : null,
    trainedCharacters: trials.length === 0 && !isUntrained(arm) ? null : trainedCharacters(trials),
  }
}

/** Arms that are asked as they are: no training is known of them because there is none. */
const isUntrained = (arm: string | null): boolean =>
  arm !== null && (['frozen', 'passage-in-prompt', 'retrieval'].includes(arm) || arm.startsWith('baseline-'))

type Trained = { readonly sequences: readonly string[]; readonly config: unknown }

/** Characters of the sequences times the epochs, null where a trial does not say how many. */
export function trainedCharacters(trials: readonly Trained[]): number | null {
  let sum = 0
  for (const { sequences, config } of trials) {
    const { epochs, optimizer } = (config ?? {}) as { epochs?: unknown; optimizer?: { epochs?: unknown } } // sound: only looked at
    const times = epochs ?? optimizer?.epochs
    if (typeof times !== 'number') return null
    sum += times * sequences.reduce((length, sequence) => length + sequence.length, 0)
  }
  return sum
}

type Continual = {
  readonly mean: readonly (readonly (number | null)[])[]
  readonly deviation: readonly (readonly (number | null)[])[] | null
  readonly sequences: number | null
  readonly passages: number
}

function continualOf({ run, source, results }: RunEvidence): ContinualMatrix[] {
  const data = results.get('continual') as Continual | undefined // sound: readContinual wrote it
  if (!data) return []
  const { mean } = data
  return [
    {
      ...{ name: run.id, source, ...data },
      before: meanOfKnown(mean[0] ?? []),
      justLearned: meanOfKnown(mean.slice(1).map((row, passage) => row[passage] ?? null)),
      atTheEnd: meanOfKnown(mean.at(-1) ?? []),
    },
  ]
}

function meanOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length > 0 ? meanOf(known) : null
}
