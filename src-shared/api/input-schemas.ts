/** The schema of every method's input. `satisfies` makes a missing, an extra or a differing one a compile error. */
import * as z from 'zod'
import { AppError } from '../errors.ts'
import { rowKinds, type Input, type MethodName } from './contract.ts'
import { importFormats } from './evidence.ts'
import { jobSpec, modelRequest } from './job-spec.ts'
import { forkMind, newMind } from './minds.ts'
import { adapterSorts, reviewVerdicts } from './workbench.ts'

const noInput = z.strictObject({})
const learnInput = z.strictObject({
  model: z.string().min(1, 'must name a model'),
  title: z.string().min(1, 'must not be empty'),
  passage: z.string().trim().min(1, 'must not be empty'),
  question: z.string().trim().min(1, 'must not be empty'),
  answer: z.exactOptional(z.string().trim().min(1, 'must not be empty')),
  recipe: z.string().min(1, 'must name a recipe'),
  seed: z.int().min(0).max(0xffff_ffff, 'must be below 2^32'),
})
const jobId = z.strictObject({ id: z.string().min(1) })
const candidateId = { id: z.string().min(1), candidateId: z.string().min(1) }
const adapterRef = { runId: z.string().min(1), key: z.string().min(1) }
const page = { offset: z.int().min(0), limit: z.int().min(1).max(1000, 'must be at most 1000') }
const adapterListInput = z.strictObject({
  ...page,
  search: z.string(),
  runId: z.exactOptional(z.string().min(1)),
  kind: z.exactOptional(z.enum(['trial', 'policy'])),
  keptOnly: z.boolean(),
  sort: z.enum(adapterSorts),
  direction: z.enum(['ascending', 'descending']),
})

export const inputSchemas = {
  'system.doctor': noInput,
  'files.inspect': z.strictObject({ path: z.string().min(1, 'must name a file') }),
  'tasksets.inspect': z.strictObject({ taskset: z.string().min(1, 'must name a taskset') }),
  'models.list': noInput,
  'models.add': z.strictObject({
    path: z.string().min(1, 'must name a file'),
    name: z.exactOptional(z.string().min(1, 'must not be empty')),
  }),
  'models.preview': modelRequest,
  'jobs.start': jobSpec,
  'jobs.get': jobId,
  'jobs.list': noInput,
  'jobs.cancel': jobId,
  'recipes.list': noInput,
  'runs.start': z.strictObject({
    recipe: z.string().min(1, 'must name a recipe'),
    seed: z.exactOptional(z.int().min(0).max(0xffff_ffff, 'must be below 2^32')),
  }),
  'runs.learn': learnInput,
  'runs.resume': jobId,
  'runs.pause': jobId,
  'runs.cancel': jobId,
  'runs.list': noInput,
  'runs.show': jobId,
  'runs.events': z.strictObject({ id: z.string().min(1), after: z.int().min(0) }),
  'runs.rows': z.strictObject({ id: z.string().min(1), of: z.enum(rowKinds), key: z.string().min(1) }),
  'store.check': z.strictObject({ readData: z.boolean() }),
  'store.size': noInput,
  'runs.page': z.strictObject({ ...page, search: z.string() }),
  'runs.view': jobId,
  'runs.candidates': jobId,
  'runs.candidate': z.strictObject(candidateId),
  'runs.sequences': z.strictObject({ id: z.string().min(1), trialId: z.string().min(1) }),
  'runs.review': z.strictObject({
    ...candidateId,
    verdict: z.enum(reviewVerdicts).nullable(),
    note: z.string().max(10_000, 'must have at most 10,000 characters'),
  }),
  'runs.lineage': z.strictObject({ id: z.string().min(1), limit: z.int().min(1).max(5000) }),
  'imports.read': z.strictObject({
    format: z.enum(importFormats),
    path: z.string().min(1, 'must name a path'),
  }),
  'evidence.report': z.strictObject({
    runs: z
      .array(z.string().min(1))
      .min(1, 'must name at least one run')
      .max(50, 'must name at most 50 runs'),
  }),
  'evidence.sample': z.strictObject({
    id: z.string().min(1),
    count: z.int().min(1).max(500, 'must be at most 500'),
  }),
  'evidence.label': z.strictObject({
    id: z.string().min(1),
    answerId: z.string().min(1),
    verdict: z.enum(['correct', 'incorrect']),
  }),
  'evidence.calibration': z.strictObject({ id: z.string().min(1) }),
  'capsules.pack': z.strictObject({ id: z.string().min(1), path: z.string().min(1, 'must name a file') }),
  'capsules.verify': z.strictObject({ path: z.string().min(1, 'must name a file') }),
  'capsules.replay': z.strictObject({
    path: z.string().min(1, 'must name a file'),
    model: z.exactOptional(z.string().min(1, 'must name a model')),
  }),
  'capsules.grade': z.strictObject({ path: z.string().min(1, 'must name a file'), id: z.string().min(1) }),
  'adapters.page': adapterListInput,
  'adapters.compare': z.strictObject({
    adapters: z
      .array(z.strictObject(adapterRef))
      .min(2, 'must name at least two adapters')
      .max(8, 'must name at most 8 adapters')
      .readonly(),
  }),
  'adapters.export': z.strictObject({ ...adapterRef, path: z.string().min(1, 'must name a file') }),
  'minds.list': noInput,
  'minds.create': newMind,
  'minds.fork': forkMind,
  'minds.view': jobId,
  'minds.event': z.strictObject({ id: z.string().min(1), sequence: z.int().min(1) }),
  'minds.lessons': jobId,
} satisfies { readonly [M in MethodName]: z.ZodType<Input<M>> }

/** Checks a method's input. Throws `invalid_input` naming each field that is wrong. */
export function checkInput<M extends MethodName>(method: M, input: unknown): Input<M> {
  const schema: z.ZodType = inputSchemas[method]
  const result = schema.safeParse(input)
  if (result.success) return result.data as Input<M> // sound by the `satisfies` above
  const problems = result.error.issues.map(({ path, message }) => ({ field: path.join('.'), message }))
  const message = problems
    .map((problem) => [problem.field, problem.message].filter(Boolean).join(': '))
    .join('; ')
  const field = problems[0]?.field
  throw new AppError('invalid_input', message, field ? { field } : undefined)
}
