/**
 * The ask job: one question, answered by a model under several sets of adapters, with the probability of every token.
 * It is asked as the loop asks, so that an adapter gives the answer that its run recorded.
 */
import type { JobResults } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import type { AskedColumn } from '../../src-shared/api/workbench.ts'
import type { AdapterUse, Completion } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { answerStop, openBookPrompt, questionPrompt } from '../../src-shared/self-edit-prompts.ts'
import type { JobContext, KeptAdapterFile } from './ports.ts'

type Asking = JobSpecOf<'ask'>

/** Throws `not_found` for the model or an adapter, `mismatch` for an adapter of another model, what the generator throws. */
export async function runAsk(spec: Asking, context: JobContext): Promise<JobResults['ask']> {
  const { compute, signal, progress } = context
  const { modelPath, columns } = await findFiles(spec, context)
  progress({ type: 'phase', phase: 'generating' })
  const answered: AskedColumn[] = []
  for (const adapters of columns) {
    progress({ type: 'count', done: answered.length, total: columns.length })
    const { completions, seconds } = await compute.request(
      'generator.generate',
      {
        modelPath,
        adapters,
        prompts: [{ text: promptOf(spec), seeds: [0] }],
        sampling: { temperature: 0, topP: 1, maxTokens: spec.maxTokens, stop: answerStop },
        withPieces: true,
      },
      { signal },
    )
    answered.push({ ...answerOf(completions[0]?.[0]), seconds })
  }
  return { columns: answered }
}

const promptOf = ({ title, passage, question }: Asking): string =>
  passage.trim() === '' ? questionPrompt(title, question) : openBookPrompt({ title, passage }, question)

function answerOf(completion: Completion | undefined): Omit<AskedColumn, 'seconds'> {
  if (!completion?.pieces) throw new AppError('internal', 'The generator gave no answer.')
  return {
    text: completion.text.trim(),
    // Rounding can leave a log-probability just above 0.
    tokens: completion.pieces.map(({ text, logProb }) => ({
      text,
      probability: Math.min(1, Math.exp(logProb)),
    })),
  }
}

/** The model, and the adapters of each column; all checked before anything is computed. */
async function findFiles(
  spec: Asking,
  { resolveModel, hashModel, findAdapter, signal }: JobContext,
): Promise<{ readonly modelPath: string; readonly columns: readonly AdapterUse[][] }> {
  const modelPath = await resolveModel(spec.model)
  const found = spec.columns.map(({ adapters }) =>
    adapters.map(({ scale, ...ref }) => ({ ref, scale, file: findAdapter(ref) })),
  )
  const used = found.flat()
  if (used.length > 0) {
    const sha256 = await hashModel(modelPath, signal)
    for (const { ref, file } of used) requireSameModel(`${ref.runId}/${ref.key}`, file, spec.model, sha256)
  }
  return {
    modelPath,
    columns: found.map((uses) => uses.map(({ file, scale }) => ({ path: file.path, scale }))),
  }
}

function requireSameModel(
  name: string,
  { baseSha256 }: KeptAdapterFile,
  model: string,
  sha256: string,
): void {
  if (baseSha256 === sha256) return
  const message = `The adapter ${name} was trained on another model (sha256 ${baseSha256.slice(0, 12)}) than ${model} (${sha256.slice(0, 12)}). Choose the model of its run.`
  throw new AppError('mismatch', message, { baseSha256, sha256 })
}
