/**
 * Packs training sequences into the fixed shape of a graph. A micro-batch is a grid of lanes of equal length; several
 * sequences share a lane one behind another, each with its own positions and blind to its neighbours, so that nothing
 * is spent on padding. With K adapters every adapter has the same number of lanes, in adapter order.
 */
import { AppError } from '../../src-shared/errors.ts'
import type { TrainSequence } from '../../src-shared/compute-protocol.ts'

export type BatchShape = {
  readonly adapters: number
  readonly lanesPerAdapter: number
  readonly laneLength: number // tokens
  readonly supervised: number // rows of the loss, at most all tokens
}

/** A sequence with the original's padding: the last `padding` tokens are targets but never attended to. */
export type PackedSequence = TrainSequence & {
  readonly padding: number
  readonly number: number // among its job's sequences
}

/** Where the sequences of one adapter go: per lane the sequences in order. */
export type Lanes = readonly (readonly PackedSequence[])[]

export type BatchData = {
  readonly tokens: Int32Array // [n], n = adapters × lanes × laneLength, lane after lane
  readonly positions: Int32Array // [n]
  readonly mask: Float32Array // [laneLength keys, laneLength queries, 1, lanes in all]
  readonly rows: Int32Array // [supervised]
  readonly labels: Int32Array // [supervised] token to predict at each row
  readonly weights: Float32Array // [supervised]
  readonly rowAdapters: Int32Array // [supervised] whose loss it is
  readonly counted: readonly number[] // per adapter, tokens in its loss
  /** Which columns hold which sequence. */
  readonly pieces: readonly {
    readonly adapter: number
    readonly number: number
    readonly start: number
    readonly length: number
  }[]
}

/** The number of tokens the loss counts in a sequence. */
export function countedTokens(sequence: TrainSequence): number {
  let count = 0
  for (let index = 1; index < sequence.tokens.length; index++) count += sequence.lossMask[index] ? 1 : 0
  return count
}

/** First-fit-decreasing packing into lanes of `laneLength`. A sequence predicts its own tokens, so it needs length − 1 places. */
export function packLanes(sequences: readonly PackedSequence[], laneLength: number): Lanes {
  const lanes: { free: number; sequences: PackedSequence[] }[] = []
  const longestFirst = [...sequences].sort((a, b) => places(b) - places(a))
  for (const sequence of longestFirst) {
    const needed = places(sequence)
    if (needed > laneLength) {
      throw new AppError(
        'invalid_input',
        `A training sequence of ${sequence.tokens.length} tokens does not fit into ${laneLength + 1}. Shorten it or split it.`,
        { tokens: sequence.tokens.length },
      )
    }
    let lane = lanes.find(({ free }) => free >= needed)
    if (!lane) lanes.push((lane = { free: laneLength, sequences: [] }))
    lane.sequences.push(sequence)
    lane.free -= needed
  }
  return lanes.map((lane) => lane.sequences)
}

/** Places a sequence takes in a lane: its last token is only ever a target. */
export function places(sequence: TrainSequence): number {
  return sequence.tokens.length - 1
}

/**
 * Rounds a size up to one of about eight steps per doubling, so that few different graphs are built and at most an
 * eighth is wasted.
 */
export function roundUpSize(size: number, smallest = 8): number {
  const step = Math.max(smallest, 2 ** Math.floor(Math.log2(Math.max(size, 1)) - 3))
  return Math.max(smallest, Math.ceil(size / step) * step)
}

/** Fills the inputs of a graph of the given shape. `lanes[k]` are adapter k's; it may have fewer than the shape. */
export function fillBatch(lanes: readonly Lanes[], shape: BatchShape): BatchData {
  const { adapters, lanesPerAdapter, laneLength } = shape
  const laneCount = adapters * lanesPerAdapter
  const n = laneCount * laneLength
  const tokens = new Int32Array(n)
  const positions = new Int32Array(n)
  const mask = new Float32Array(laneLength * laneLength * laneCount).fill(-Infinity)
  const rows: number[] = []
  const labels: number[] = []
  const rowAdapters: number[] = []
  const pieces: BatchData['pieces'][number][] = []
  const taken = new Uint8Array(n)
  for (let adapter = 0; adapter < adapters; adapter++) {
    for (let laneOfAdapter = 0; laneOfAdapter < lanesPerAdapter; laneOfAdapter++) {
      const lane = adapter * lanesPerAdapter + laneOfAdapter
      let start = 0
      for (const sequence of lanes[adapter]?.[laneOfAdapter] ?? []) {
        const length = places(sequence)
        pieces.push({ adapter, number: sequence.number, start: lane * laneLength + start, length })
        const seen = sequence.tokens.length - sequence.padding // keys from here on are padding
        for (let i = 0; i < length; i++) {
          const place = lane * laneLength + start + i
          tokens[place] = sequence.tokens[i]!
          positions[place] = i
          const query = (lane * laneLength + start + i) * laneLength
          mask.fill(0, query + start, query + start + Math.min(i + 1, seen))
          if (!sequence.lossMask[i + 1]) continue
          rows.push(place)
          labels.push(sequence.tokens[i + 1]!)
          rowAdapters.push(adapter)
          taken[place] = 1
        }
        start += length
      }
      // Unused places see themselves, so that their softmax is defined.
      for (let i = start; i < laneLength; i++) mask[(lane * laneLength + i) * laneLength + i] = 0
    }
  }
  const counted = Array.from(
    { length: adapters },
    (_, adapter) => rowAdapters.filter((each) => each === adapter).length,
  )
  const supervised = rows.length
  // Fill up with rows that are not supervised: the loss scatters to distinct rows.
  for (let place = 0; place < n && rows.length < shape.supervised; place++)
    if (!taken[place]) rows.push(place)
  const padded = new Int32Array(shape.supervised)
  padded.set(labels)
  return {
    tokens,
    positions,
    mask,
    rows: Int32Array.from(rows),
    labels: padded,
    weights: Float32Array.from({ length: shape.supervised }, (_, row) => (row < supervised ? 1 : 0)),
    rowAdapters: Int32Array.from(rowAdapters),
    counted,
    pieces,
  }
}
