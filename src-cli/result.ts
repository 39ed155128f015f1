/** How a command ends: its result or its error on stdout or stderr, and the exit status that scripts rely on. */
import type { ErrorCode, WireError } from '../src-shared/errors.ts'

/** 2 = wrong usage or bad input, 1 = a run failed. */
export function exitStatusOf(code: ErrorCode): 1 | 2 {
  switch (code) {
    case 'invalid_input':
    case 'not_found':
    case 'unsupported':
    case 'corrupt_file':
    case 'mismatch':
      return 2
    case 'conflict':
    case 'not_finite':
    case 'out_of_memory':
    case 'disk_full':
    case 'cancelled':
    case 'compute_crashed':
    case 'internal':
      return 1
  }
}

export const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

/** Reports a failure and sets the exit status. With `json` stdout gets `{error: {code, message, data}}`. */
export function reportError({ code, message, data = {} }: WireError, json: boolean): void {
  if (json) printJson({ error: { code, message, data } })
  else process.stderr.write(`Error (${code}): ${message}\n${lastWords(data['stderr'])}`)
  process.exitCode = exitStatusOf(code)
}

const lastWords = (stderr: unknown): string =>
  typeof stderr === 'string' && stderr.trim() !== '' ? `Its last words:\n${stderr.trim()}\n` : ''
