/**
 * A mind as simple as it can be, to compare the real one with: a list of edits, each with its whole ΔW in float64. What
 * files hold is read back here as dense matrices, too.
 */
import { openAdapter } from '../../src-core/adapter-files/open-adapter.ts'
import { openGgufFile, readGgufFile } from '../../src-core/models/gguf-file.ts'
import { writeGgufFile } from '../../src-compute/gguf-file.ts'
import type { MindChange } from '../../src-core/minds/change.ts'
import type { ErrorCode } from '../../src-shared/errors.ts'
import type { MindWeights } from '../../src-shared/minds/mind.ts'

export type Dense = ReadonlyMap<string, Float64Array> // by tensor

export type OracleEdit = {
  readonly id: string
  readonly file: number
  readonly isOn: boolean
  readonly scale: number
}
export type Oracle = {
  readonly edits: readonly OracleEdit[]
  readonly reverted: readonly string[]
  readonly merged: readonly string[] | null // ids, in any order
  readonly rank: number | null
  readonly next: number
}
export const newOracle: Oracle = { edits: [], reverted: [], merged: null, rank: null, next: 1 }

export const activeIn = ({ edits }: Oracle): readonly OracleEdit[] =>
  edits.filter(({ isOn, scale }) => isOn && scale !== 0)

/** Of the merge stays what is still on; a merge of nothing is none. */
function settled(oracle: Oracle): Oracle {
  const on = activeIn(oracle).map(({ id }) => id)
  const merged = oracle.merged?.filter((id) => on.includes(id)) ?? []
  return merged.length > 0 ? { ...oracle, merged } : { ...oracle, merged: null, rank: null }
}

export function learnedIn(
  oracle: Oracle,
  file: number,
  scale: number,
  isOn: boolean,
  merges: boolean,
): Oracle {
  const id = `e${oracle.next}`
  const after = { ...oracle, next: oracle.next + 1, edits: [...oracle.edits, { id, file, isOn, scale }] }
  if (!merges || !isOn) return settled(after)
  return settled({ ...after, merged: activeIn(after).map((edit) => edit.id), rank: null })
}

export const revertedIn = (oracle: Oracle, id: string): Oracle | ErrorCode =>
  oracle.edits.some((edit) => edit.id === id)
    ? settled({
        ...oracle,
        edits: oracle.edits.filter((edit) => edit.id !== id),
        reverted: [...oracle.reverted, id],
      })
    : 'not_found'

/** What the mind is after the change, or the error that it is refused with. */
export function changedIn(oracle: Oracle, change: MindChange): Oracle | ErrorCode {
  const { edits, merged, rank } = oracle
  const on = activeIn(oracle)
  const found = 'editId' in change ? edits.findIndex(({ id }) => id === change.editId) : 0
  const edit = edits[found]
  const withEdit = (changes: Partial<OracleEdit>): Oracle =>
    settled({ ...oracle, edits: edits.map((each) => (each === edit ? { ...each, ...changes } : each)) })
  if ('editId' in change && !edit) return 'not_found'
  switch (change.type) {
    case 'enable':
    case 'disable': {
      const isOn = change.type === 'enable'
      return edit!.isOn === isOn ? 'conflict' : withEdit({ isOn })
    }
    case 'scale':
      return edit!.scale === change.scale ? 'conflict' : withEdit({ scale: change.scale })
    case 'move': {
      const { position } = change
      if (position >= edits.length) return 'invalid_input'
      if (position === found) return 'conflict'
      return { ...oracle, edits: edits.toSpliced(found, 1).toSpliced(position, 0, edit!) }
    }
    case 'merge': {
      if (on.length === 0) return 'conflict'
      const ids = on.map(({ id }) => id)
      const isSame = merged?.length === ids.length && rank === (change.rank ?? null)
      return isSame ? 'conflict' : { ...oracle, merged: ids, rank: change.rank ?? null }
    }
    case 'unmerge':
      return merged === null ? 'conflict' : { ...oracle, merged: null, rank: null }
    case 'prune': {
      // Nothing is asked, so all are as useful: the oldest in the stack go.
      const dropped = on.slice(0, Math.max(0, on.length - change.keep)).map(({ id }) => id)
      if (dropped.length === 0) return 'conflict'
      return settled({
        ...oracle,
        edits: edits.map((each) => (dropped.includes(each.id) ? { ...each, isOn: false } : each)),
      })
    }
  }
}

// ------------------------------------------------------------------------------------------------ weights

/** Every tensor of an F32 model. */
export function readDense(path: string): Map<string, Float64Array> {
  const { file, source, dispose } = openGgufFile(path)
  try {
    return new Map(
      file.tensors.map(({ name, offset, bytes }) => {
        const read = Uint8Array.from(source.read(offset, bytes)) // aligned to 4 bytes
        return [name, Float64Array.from(new Float32Array(read.buffer))]
      }),
    )
  } finally {
    dispose()
  }
}

/** ΔW of every matrix that the adapter changes: [outputs × inputs]. */
export function readChanges(path: string, modelPath: string): Dense {
  const adapter = openAdapter(path, readGgufFile(modelPath))
  try {
    return new Map(
      Array.from(adapter.pairs.keys(), (target) => {
        const { rank, inputs, outputs, a, b } = adapter.factors(target)
        const change = new Float64Array(outputs * inputs)
        for (let output = 0; output < outputs; output++)
          for (let k = 0; k < rank; k++)
            for (let input = 0; input < inputs; input++)
              change[output * inputs + input]! += b[output * rank + k]! * a[k * inputs + input]!
        return [target, change]
      }),
    )
  } finally {
    adapter.dispose()
  }
}

function addTo(weights: Map<string, Float64Array>, changes: Dense, scale: number): void {
  for (const [target, change] of changes) {
    const values = weights.get(target)!
    for (const [index, value] of change.entries()) values[index]! += scale * value
  }
}

/** What the oracle says that the weights are. */
export function weightsOf(base: Dense, files: readonly Dense[], oracle: Oracle): Dense {
  const weights = new Map(Array.from(base, ([name, values]) => [name, Float64Array.from(values)]))
  for (const { file, scale } of activeIn(oracle)) addTo(weights, files[file]!, scale)
  return weights
}

/** What the files say that llama.cpp is given. */
export function servedWeights({ modelPath, adapters }: MindWeights): Dense {
  const weights = readDense(modelPath)
  for (const { path, scale } of adapters) addTo(weights, readChanges(path, modelPath), scale)
  return weights
}

/** The largest difference of any weight; Infinity if a tensor is missing or one is too many. */
export function difference(one: Dense, other: Dense): number {
  if (one.size !== other.size) return Infinity
  let worst = 0
  for (const [name, values] of one) {
    const others = other.get(name)
    if (others?.length !== values.length) return Infinity
    for (let index = 0; index < values.length; index++)
      worst = Math.max(worst, Math.abs(values[index]! - others[index]!))
  }
  return worst
}

/** Writes the oracle's weights as a whole F32 model, which shares no code with merging. */
export function writeDense(path: string, basePath: string, weights: Dense): void {
  const { metadata, tensors } = readGgufFile(basePath)
  writeGgufFile(path, {
    metadata: [...metadata],
    tensors: tensors.map(({ name, type, shape }) => ({
      ...{ name, type, shape },
      data: new Uint8Array(Float32Array.from(weights.get(name)!).buffer),
    })),
  })
}
