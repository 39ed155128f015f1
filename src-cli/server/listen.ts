/** Where the server listens: a port of this machine, or a Unix socket that only its owner can open. */
import { chmodSync, lstatSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { AppError } from '../../src-shared/errors.ts'

export type ListenAt = { readonly type: 'port'; readonly host: string; readonly port: number } | UnixSocket
type UnixSocket = { readonly type: 'socket'; readonly path: string }

/** Resolves with the port, or null for a socket. Throws `conflict` if it is taken, `invalid_input` if it cannot be had. */
export async function listen(server: Server, at: ListenAt): Promise<number | null> {
  if (at.type === 'port') {
    await listening(server, at, () => server.listen(at.port, at.host))
    return (server.address() as AddressInfo).port // sound: it listens on a port
  }
  await removeStale(at)
  const before = process.umask(0o177) // nobody else may open it, from its first moment on
  try {
    await listening(server, at, () => server.listen(at.path))
  } finally {
    process.umask(before)
  }
  chmodSync(at.path, 0o600)
  return null
}

async function listening(server: Server, at: ListenAt, begin: () => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('listening', resolve).once('error', reject)
  begin()
  try {
    await promise
  } catch (error) {
    throw explained(error as NodeJS.ErrnoException, at) // sound: Node reports nothing else here
  } finally {
    server.off('listening', resolve).off('error', reject)
  }
}

function explained(error: NodeJS.ErrnoException, at: ListenAt): Error {
  const where = at.type === 'socket' ? at.path : `port ${at.port} of ${at.host}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new AppError(
        'conflict',
        at.type === 'socket'
          ? `Another process listens at ${where}. Choose another --socket.`
          : `Another program uses ${where}. Choose another --port, or leave it out to get a free one.`,
      )
    case 'EACCES':
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'ENOENT':
    case 'EINVAL':
      return new AppError(
        'invalid_input',
        `Selkie cannot listen at ${where} (${error.code}). Choose another.`,
      )
    default:
      return error
  }
}

/** A server that was killed leaves its socket behind, where nobody answers any more. */
async function removeStale({ path }: UnixSocket): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return
  const probe = connect(path)
  const isAnswered = await new Promise<boolean>((resolve) => {
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false))
  })
  probe.destroy()
  if (!isAnswered) rmSync(path)
}
