/**
 * Everything a client may ask of a host, and everything a host may announce. One argument object in, one plain value
 * out; anything longer than about a second is a job, which returns its id at once and reports by events.
 */
import type { InspectReport } from '../gguf/inspect-report.ts'
import type { MindEvent } from '../minds/mind.ts'
import type { TasksetReport } from '../taskset-report.ts'
import type { LedgerRow, Run, RunEvent, StoreReport } from '../records.ts'
import type { CapsuleCheck, CapsuleVerdict } from './capsules.ts'
import type { DoctorReport } from './doctor.ts'
import type {
  Calibration,
  EvidenceReport,
  ImportFormat,
  ImportReport,
  LabelVerdict,
  SampledAnswer,
} from './evidence.ts'
import type { Job, JobEvent } from './job.ts'
import type { JobSpec } from './job-spec.ts'
import type { LessonChoice, MindRow, MindView, NewMind } from './minds.ts'
import type { CatalogueModel, DownloadPreview, ModelRequest } from './models.ts'
import type { AssertNever, NotPlain } from './plain.ts'
import type { LearnInput, RunNews, RunReport } from './runs.ts'
import type {
  AdapterList,
  AdapterListInput,
  AdapterRef,
  CandidateColumns,
  CandidateView,
  Comparison,
  Lineage,
  Review,
  ReviewVerdict,
  RunList,
  RunListInput,
  RunView,
  SequenceView,
  StorageReport,
} from './workbench.ts'

export type NoInput = Readonly<Record<string, never>>
export type JobId = { readonly id: string }

/** `{ name: [input, output] }` */
export type Methods = {
  'system.doctor': [NoInput, DoctorReport]
  /** Reads a GGUF model or adapter and hashes it: a few seconds for a large file. */
  'files.inspect': [{ readonly path: string }, InspectReport]
  /** Reads and checks a taskset, bundled or at a path, and counts what it holds: a second for a large one. */
  'tasksets.inspect': [{ readonly taskset: string }, TasksetReport]
  /** Every model that is there, with what its header says. */
  'models.list': [NoInput, readonly CatalogueModel[]]
  /** Lists a GGUF file under a name; the file stays where it is. */
  'models.add': [{ readonly path: string; readonly name?: string }, CatalogueModel]
  /** Looks at a model where it lies, before the job `download`: a few seconds over the network. */
  'models.preview': [ModelRequest, DownloadPreview]
  'jobs.start': [JobSpec, JobId]
  'jobs.get': [JobId, Job]
  'jobs.list': [NoInput, readonly Job[]]
  /** Asks a job to stop; its end comes as an event. A job that has ended stays as it is. */
  'jobs.cancel': [JobId, Job]
  /** The recipes that come with Selkie. */
  'recipes.list': [NoInput, readonly { readonly name: string; readonly description: string }[]]
  /** Checks a recipe and starts its run; the reply comes once everything it names was found to be right. */
  'runs.start': [{ readonly recipe: string; readonly seed?: number }, RunId]
  /** A run of one passage: what the model knows before, a self-edit, and what it knows after. */
  'runs.learn': [LearnInput, RunId]
  /** Goes on with a run that was paused, interrupted, or has failed. */
  'runs.resume': [RunId, RunId]
  /** Asks for a stop after the work at hand; nothing is lost. */
  'runs.pause': [RunId, Run]
  /** Ends a run for good; what it has made stays. */
  'runs.cancel': [RunId, Run]
  'runs.list': [NoInput, readonly RunReport[]]
  'runs.show': [RunId, RunReport]
  'runs.events': [{ readonly id: string; readonly after: number }, readonly RunEvent[]]
  /** A candidate, an adapter, a round or an arm with the rows that belong to it; `id` as `selkie show` prints it. */
  'runs.rows': [{ readonly id: string; readonly of: RowKind; readonly key: string }, readonly LedgerRow[]]
  'store.check': [{ readonly readData: boolean }, StoreReport]
  'store.size': [NoInput, StorageReport]
  /** One page of the runs, the latest first. */
  'runs.page': [RunListInput, RunList]
  /** What the screen of a run shows, but for its candidates. */
  'runs.view': [RunId, RunView]
  'runs.candidates': [RunId, CandidateColumns]
  'runs.candidate': [CandidateId, CandidateView]
  /** The training sequences of a trial, token by token: asks the model's tokenizer, up to a second. */
  'runs.sequences': [{ readonly id: string; readonly trialId: string }, readonly SequenceView[]]
  /** Keeps what a person says of a candidate. */
  'runs.review': [CandidateId & { readonly verdict: ReviewVerdict | null; readonly note: string }, Review]
  'runs.lineage': [{ readonly id: string; readonly limit: number }, Lineage]
  /** Reads a folder of SEAL's records or a file of JSON lines into the store: some seconds for the whole of SEAL's. */
  'imports.read': [{ readonly format: ImportFormat; readonly path: string }, ImportReport]
  /** Numbers, differences and findings of runs, named by id or by what an import is called. */
  'evidence.report': [{ readonly runs: readonly string[] }, EvidenceReport]
  /** Answers with a verdict to be labelled by a person, the same ones each time. */
  'evidence.sample': [{ readonly id: string; readonly count: number }, readonly SampledAnswer[]]
  /** Keeps what a person says of an answer; the last word counts. */
  'evidence.label': [
    { readonly id: string; readonly answerId: string; readonly verdict: LabelVerdict },
    Calibration,
  ]
  /** How far the judge and the person agree. */
  'evidence.calibration': [RunId, Calibration]
  /** A run in one file: recipe, taskset, hashes and ledger. Never overwrites. */
  'capsules.pack': [{ readonly id: string; readonly path: string }, CapsuleCheck]
  /** Recomputes every hash of a capsule. */
  'capsules.verify': [{ readonly path: string }, CapsuleCheck]
  /** Starts the run of a capsule again; `model` for another path of the same model. */
  'capsules.replay': [{ readonly path: string; readonly model?: string }, RunId]
  /** Compares a capsule with the run that repeated it. */
  'capsules.grade': [{ readonly path: string; readonly id: string }, CapsuleVerdict]
  'adapters.page': [AdapterListInput, AdapterList]
  'adapters.compare': [{ readonly adapters: readonly AdapterRef[] }, Comparison]
  /** Copies an adapter's file out of the store. Never overwrites. */
  'adapters.export': [
    AdapterRef & { readonly path: string },
    { readonly path: string; readonly sha256: string },
  ]
  /** The latest first. What changes a mind, or asks it, is a job: see minds.ts. */
  'minds.list': [NoInput, readonly MindRow[]]
  /** Hashes the base model: up to a few seconds. */
  'minds.create': [NewMind, MindId]
  /** A mind of its own that begins as the other is, or was. */
  'minds.fork': [MindId & { readonly name: string; readonly version?: number }, MindId]
  'minds.view': [MindId, MindView]
  'minds.event': [MindId & { readonly sequence: number }, MindEvent]
  /** The tasks of the taskset that the mind's recipe names. */
  'minds.lessons': [MindId, readonly LessonChoice[]]
}

export type RunId = { readonly id: string }
export type MindId = { readonly id: string }
/** `id` of the run. */
export type CandidateId = { readonly id: string; readonly candidateId: string }
export const rowKinds = ['candidate', 'adapter', 'round', 'arm'] as const
export type RowKind = (typeof rowKinds)[number]

export type Events = { job: JobEvent; run: RunNews }

export type MethodName = keyof Methods
export type EventName = keyof Events
export type Input<M extends MethodName> = Methods[M][0]
export type Output<M extends MethodName> = Methods[M][1]

export type EveryMethodIsPlainData = AssertNever<NotPlain<Methods>>
export type EveryEventIsPlainData = AssertNever<NotPlain<Events>>
