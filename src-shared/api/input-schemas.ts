/** The schema of every method's input. `satisfies` makes a missing, an extra or a differing one a compile error. */
import * as z from 'zod'
import { AppError } from '../errors.ts'
import type { Input, MethodName } from './contract.ts'
import { jobSpec } from './job-spec.ts'

const noInput = z.strictObject({})
const jobId = z.strictObject({ id: z.string().min(1) })

export const inputSchemas = {
  'system.doctor': noInput,
  'files.inspect': z.strictObject({ path: z.string().min(1, 'must name a file') }),
  'jobs.start': jobSpec,
  'jobs.get': jobId,
  'jobs.list': noInput,
  'jobs.cancel': jobId,
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
