/** Sends a model file to the server. XMLHttpRequest, because fetch does not tell how much has gone out. */
import type { CatalogueModel } from '../../src-shared/api/models.ts'
import type { Reply } from '../../src-shared/api/transport.ts'
import { AppError, fromWireError } from '../../src-shared/errors.ts'

/** Throws the server's `AppError`. `onProgress`: the share sent, 0 to 1. */
export async function uploadModel(
  file: File,
  onProgress: (share: number) => void = () => undefined,
): Promise<CatalogueModel> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const request = new XMLHttpRequest()
  request.open('POST', `/models?name=${encodeURIComponent(file.name)}`)
  request.responseType = 'json'
  request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(loaded / total))
  request.addEventListener('load', () => {
    const reply = request.response as Reply | null // sound: the route answers with nothing else; the gate with no JSON
    if (reply) resolve(reply)
    else reject(new AppError('invalid_input', 'This page may not send files any more. Open a new link.'))
  })
  request.addEventListener('error', () =>
    reject(new AppError('conflict', 'The connection broke. Send the file again.')),
  )
  request.send(file)
  const reply = await promise
  if (!reply.ok) throw fromWireError(reply.error)
  return reply.value as CatalogueModel // sound: the route's only value
}
