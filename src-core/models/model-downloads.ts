/** Brings models from the hub or a link into the catalogue: first a look from afar, then the download. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DownloadedModel, DownloadPreview, ModelRequest } from '../../src-shared/api/models.ts'
import type { ModelCatalogue } from './catalogue.ts'
import { describeModel } from './describe-model.ts'
import { downloadFile, freeDiskBytes, type DownloadProgress } from './downloader.ts'
import { memoryOfMachine } from './memory-fit.ts'
import { checkModelName } from './names.ts'
import { partialBytes } from './partial-file.ts'
import { defaultPatience, tryPatiently } from './patience.ts'
import { hubFrom, parseReference } from './references.ts'
import { readRemoteHeader } from './remote-header.ts'

export type ModelDownloads = {
  /** Reads the model's header where it lies: a few megabytes. Throws like `downloadFile`. */
  preview(request: ModelRequest): Promise<DownloadPreview>
  /** Throws like `downloadFile`. */
  download(
    request: ModelRequest,
    options: { readonly signal: AbortSignal; readonly onProgress: (progress: DownloadProgress) => void },
  ): Promise<DownloadedModel>
}

export function createModelDownloads(catalogue: ModelCatalogue, env: NodeJS.ProcessEnv): ModelDownloads {
  const locate = async ({ reference, name: given, allowHttp }: ModelRequest) => {
    const hub = hubFrom(env)
    const remote = parseReference(reference, hub)
    const name = given === undefined ? remote.name : checkModelName(given)
    await catalogue.requireFreeName(name)
    return { name, target: join(catalogue.downloadFolder, `${name}.gguf`), remote, hub, allowHttp }
  }
  return {
    async preview(request) {
      const { name, target, ...access } = await locate(request)
      const { signal } = new AbortController()
      const { file, sha256 } = await tryPatiently({
        attempt: () => readRemoteHeader({ ...access, signal, ...defaultPatience }),
        receivedBytes: () => 0,
        host: access.remote.url.host,
        patience: defaultPatience,
        signal,
      })
      return {
        name,
        path: target,
        facts: describeModel(file, target, memoryOfMachine()),
        sha256,
        partialBytes: partialBytes(target),
        freeDiskBytes: await freeDiskBytes(nearestFolder(catalogue.downloadFolder)),
      }
    },
    async download(request, options) {
      const { name, target, ...access } = await locate(request)
      const { header, ...download } = await downloadFile({
        ...access,
        target,
        ...(request.sha256 !== undefined && { sha256: request.sha256 }),
        ...options,
        patience: defaultPatience,
      })
      const facts = describeModel(header, target, memoryOfMachine())
      return { name, path: target, source: 'store', facts, ...download }
    },
  }
}

/** The store may not have been made yet; its disk is that of the folder it will be in. */
function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(join(path, '..'))
}
