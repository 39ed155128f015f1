/** Takes in a model that arrives as a stream: listed only when all of it is there and its header is that of a model. */
import { randomUUID } from 'node:crypto'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { CatalogueModel } from '../../src-shared/api/models.ts'
import { AppError } from '../../src-shared/errors.ts'
import type { ModelCatalogue } from './catalogue.ts'
import { describeModel } from './describe-model.ts'
import { freeDiskBytes } from './downloader.ts'
import { renameDurably } from './durable-file.ts'
import { readGgufFile } from './gguf-file.ts'
import { memoryOfMachine } from './memory-fit.ts'
import { checkModelName } from './names.ts'

export type IncomingModel = {
  readonly name: string
  readonly sizeBytes: number // announced
  readonly bytes: AsyncIterable<Uint8Array>
}

/**
 * Throws `invalid_input` for a name that cannot be one, `conflict` if it is taken, `disk_full`, `corrupt_file` if fewer
 * or more bytes come than were announced, and what reading the header throws. Then nothing is left behind.
 */
export async function receiveModel(
  catalogue: ModelCatalogue,
  { name: given, sizeBytes, bytes }: IncomingModel,
): Promise<CatalogueModel> {
  const name = checkModelName(given)
  await catalogue.requireFreeName(name)
  const folder = catalogue.downloadFolder
  await mkdir(folder, { recursive: true })
  await requireRoom(folder, sizeBytes)
  const incoming = join(folder, `.${name}.${randomUUID()}`) // hidden files are no models
  const path = join(folder, `${name}.gguf`)
  try {
    const file = await open(incoming, 'wx')
    try {
      await write(file, sizeBytes, bytes)
    } finally {
      await file.close()
    }
    const facts = describeModel(readGgufFile(incoming), `${name}.gguf`, memoryOfMachine())
    await catalogue.requireFreeName(name) // another may have come meanwhile
    await renameDurably(incoming, path)
    return { name, path, source: 'store', status: 'usable', facts }
  } catch (error) {
    await rm(incoming, { force: true })
    throw error
  }
}

async function write(file: FileHandle, sizeBytes: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  let received = 0
  for await (const chunk of bytes) {
    received += chunk.length
    if (received > sizeBytes) break
    await file.writeFile(chunk) // goes on where the last one ended
  }
  await file.sync()
  if (received === sizeBytes) return
  const message = 'The file did not arrive as it was announced. Send it again.'
  throw new AppError('corrupt_file', message, { sizeBytes, receivedBytes: received })
}

async function requireRoom(folder: string, sizeBytes: number): Promise<void> {
  const freeBytes = await freeDiskBytes(folder)
  if (sizeBytes <= freeBytes) return
  const [needed, free] = [sizeBytes, freeBytes].map((bytes) => `${(bytes / 1e9).toFixed(2)} GB`)
  const message = `The model needs ${needed}, but ${folder} has ${free} free. Free some disk space and send it again.`
  throw new AppError('disk_full', message, { sizeBytes, freeBytes })
}
