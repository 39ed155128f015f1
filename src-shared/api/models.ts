/** What clients see of models: those that are there, and one that could be downloaded. */
import type { WireError } from '../errors.ts'
import type { TrainingSupport } from '../gguf/model-spec.ts'
import type { TensorType } from '../gguf/types.ts'

/** `fits` into what is free now, is `tight` because other programs would have to make room, or is `too-large`. */
export type MemoryVerdict = 'fits' | 'tight' | 'too-large'
export type MemoryNeed = { readonly bytes: number; readonly verdict: MemoryVerdict }

/** What the header says of a model, and what this machine can do with it. Memory is estimated for the CPU. */
export type ModelFacts = {
  readonly sizeBytes: number
  readonly architecture: string
  readonly parameters: number
  readonly quantization: TensorType | null // of most of the weights
  readonly contextSize: number | null // tokens
  readonly supported: TrainingSupport
  readonly memory: { readonly generating: MemoryNeed; readonly training: MemoryNeed | null } // null: no training
}

/** `bundled` with Selkie, in the `store` folder, `added` by its path, or any other `file`. */
export type ModelSource = 'bundled' | 'store' | 'added' | 'file'
export type ModelFile = { readonly name: string; readonly path: string; readonly source: ModelSource }

export type CatalogueModel = ModelFile &
  (
    | { readonly status: 'usable'; readonly facts: ModelFacts }
    | { readonly status: 'unusable'; readonly error: WireError }
  )

/** `reference`: `hf:OWNER/REPO/FILE[@REVISION]` or a link. `allowHttp`: also without encryption. */
export type ModelRequest = {
  readonly reference: string
  readonly name?: string // default: the file's
  readonly sha256?: string
  readonly allowHttp: boolean
}

export type DownloadPreview = {
  readonly name: string
  readonly path: string // where the file would go
  readonly facts: ModelFacts
  readonly sha256: string | null // announced by the server
  readonly partialBytes: number // left by an earlier attempt
  readonly freeDiskBytes: number
}

export type DownloadedModel = ModelFile & {
  readonly source: 'store'
  readonly facts: ModelFacts
  readonly sha256: string
  readonly verifiedAgainst: 'given' | 'announced' | null // the checksum that it was compared with
  readonly resumedBytes: number // of the file, that an earlier attempt had left
}
