/** Edits, stacks and merged models as files that others can use. */
import { statSync } from 'node:fs'
import type { ExportedMind } from '../../src-shared/api/minds.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { quantizedTypes, type QuantizedType } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { activeParts, looseParts, partOf } from '../../src-shared/minds/fold.ts'
import { exportComposed, exportMerged, exportPeft, type Exported } from '../adapter-files/export.ts'
import type { MindReading } from './minds.ts'
import { requireEdit } from './revert.ts'
import { placementOf } from '../loop/inner-loop.ts'

/**
 * What is exported is checked before it gets its name. An edit is exported at full strength, a stack as it is. Throws
 * `conflict` if nothing is on or the name is taken, `mismatch` if the check fails, and what the export throws.
 */
export async function exportMind(
  asked: MindReading,
  { what, path }: JobSpecOf<'mind-export'>,
): Promise<ExportedMind> {
  const { tools, mind } = asked
  const { compute, signal, modelPath, onProgress } = tools
  const { threads } = placementOf(mind.config.recipe.compute)
  const options = {
    ...{ compute, signal },
    ...(threads !== undefined && { threads }),
    onProgress: (done: number, total: number) => onProgress('exporting', done, total),
  }
  const adapters = [{ path: await adapterOf(asked, what), scale: 1 }]
  const source = { modelPath, adapters, baseSha256: mind.modelSha256 }
  if (what.type === 'model') {
    const weightType = what.weightType === undefined ? {} : { weightType: quantizedType(what.weightType) }
    return exported(await exportMerged(source, path, { ...options, ...weightType }), 'file')
  }
  return what.format === 'peft'
    ? exported(await exportPeft(source, path, options), 'folder')
    : exported(await exportComposed(source, path, options), 'file')
}

/** One file of everything that is on, or of one edit. */
async function adapterOf(
  { state, tools }: MindReading,
  what: JobSpecOf<'mind-export'>['what'],
): Promise<string> {
  const { composer } = tools
  if (what.type === 'edit')
    return await composer.asOne([{ ...partOf(requireEdit(state, what.editId)), scale: 1 }])
  const parts = activeParts(state)
  if (parts.length === 0)
    throw new AppError('conflict', 'No edit is on: there is nothing to export. Switch one on first.')
  if (state.merge?.form !== 'adapter') return await composer.asOne(parts)
  const [use] = (await composer.weightsOf(state.merge, looseParts(state))).adapters
  return use!.path
}

function quantizedType(name: string): QuantizedType {
  const known = quantizedTypes.find((type) => type === name.toUpperCase())
  if (known) return known
  const message = `"${name}" is no type that llama.cpp's quantiser makes here. Choose one of ${quantizedTypes.join(', ')}.`
  throw new AppError('invalid_input', message, { weightType: name })
}

const exported = ({ path, sha256, bytes, parity }: Exported, kind: 'file' | 'folder'): ExportedMind => ({
  path,
  sha256: kind === 'file' ? sha256 : null,
  sizeBytes: kind === 'file' ? statSync(path).size : bytes,
  parity: { maxDifference: parity.worst, bound: parity.limit.worst, tokens: parity.tokens },
})
