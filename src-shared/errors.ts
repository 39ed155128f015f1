/**
 * The one error that crosses a process boundary: `code` is for programs, `message` is for people and says what to
 * do next. Converting to and from the wire happens here and nowhere else.
 */
export const errorCodes = [
  'invalid_input', // the caller can mend it: a wrong option, an unusable file
  'not_found',
  'conflict',
  'unsupported', // a file or device that is valid, but that Selkie cannot use
  'corrupt_file',
  'mismatch', // two files that do not belong together, e.g. an adapter of another model
  'not_finite', // training produced NaN or infinity
  'out_of_memory',
  'disk_full',
  'cancelled',
  'compute_crashed',
  'internal',
] as const
export type ErrorCode = (typeof errorCodes)[number]

export type ErrorData = Readonly<Record<string, string | number | boolean>>
export type WireError = { readonly code: ErrorCode; readonly message: string; readonly data?: ErrorData }

export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly data: ErrorData | undefined

  constructor(code: ErrorCode, message: string, data?: ErrorData, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.data = data
  }
}

/** Turns anything thrown into its wire shape. Operating-system errors that users meet get their own code. */
export function toWireError(error: unknown): WireError {
  if (error instanceof AppError) {
    return { code: error.code, message: error.message, ...(error.data && { data: error.data }) }
  }
  const message = error instanceof Error ? error.message : String(error)
  switch ((error as { code?: unknown } | null)?.code) {
    case 'ENOENT':
      return missing(error as { path?: unknown }, message)
    case 'ENOSPC':
    case 'EDQUOT':
      return {
        code: 'disk_full',
        message: `${message}. Free some disk space and try again; nothing was replaced.`,
      }
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'EISDIR':
    case 'ENOTDIR':
      return { code: 'invalid_input', message: `${message}. Choose another path or change its permissions.` }
    default:
      return { code: 'internal', message }
  }
}

function missing({ path }: { path?: unknown }, message: string): WireError {
  if (typeof path !== 'string') return { code: 'not_found', message: `${message}. Check the path.` }
  return { code: 'not_found', message: `${path} does not exist. Check the path.`, data: { path } }
}

export function fromWireError(wire: WireError): AppError {
  return new AppError(wire.code, wire.message, wire.data)
}
