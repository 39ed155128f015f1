/** The schema of every method's input. `satisfies` makes a missing, an extra or a differing one a compile error. */
import * as z from 'zod'
import { AppError } from '../errors.ts'
import { rowKinds, type Input, type MethodName } from './contract.ts'
import { jobSpec, modelRequest } from './job-spec.ts'

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

export const inputSchemas = {
  'system.doctor': noInput,
  'files.inspect': z.strictObject({ path: z.string().min(1, 'must name a file') }),
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
