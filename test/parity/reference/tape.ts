/**
 * The operations of a transformer in float64, each with its derivative written beside it. An operation computes its
 * result at once and records how to carry the result's gradient back to its inputs; `backward` plays the records in
 * reverse. Straight loops, nothing fused, nothing clever: this is what faster code is compared with.
 */

/** A matrix of numbers and the derivative of the loss with respect to each; rows are adjacent runs of `columns`. */
export type Variable = {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array // [rows, columns]
  readonly gradient: Float64Array // [rows, columns], added to, never overwritten
}

/** Which elements of a head turn together: neighbors (2i, 2i + 1) or halves (i, i + headDim / 2). */
export type RopePairing = 'neighbors' | 'halves'

export type Tape = {
  /** Row `indices[t]` of `table` becomes row t. */
  readonly gatherRows: (table: Variable, indices: readonly number[]) => Variable
  /** x Wᵀ: x [n, in], weight [out, in] -> [n, out]. */
  readonly linear: (x: Variable, weight: Variable) => Variable
  readonly add: (x: Variable, y: Variable) => Variable
  /** Adds `bias` [1, columns] to every row. */
  readonly addBias: (x: Variable, bias: Variable) => Variable
  readonly scale: (x: Variable, factor: number) => Variable
  /** Root-mean-square norm of each run of weight.columns elements, times `weight` [1, n]; n divides x.columns. */
  readonly rmsNorm: (x: Variable, weight: Variable, epsilon: number) => Variable
  /** Turns pair j of every head in row t by t · frequencies[j] radians; frequencies [headDim / 2]. */
  readonly rope: (x: Variable, frequencies: Float64Array, pairing: RopePairing) => Variable
  /** Causal attention with grouped queries: q [n, heads·headDim], k and v [n, kvHeads·headDim] -> like q. */
  readonly attention: (q: Variable, k: Variable, v: Variable, headDim: number) => Variable
  /** silu(gate) · up, elementwise. */
  readonly swiGlu: (gate: Variable, up: Variable) => Variable
  /**
   * Natural log-probability of targets[t] under the softmax of row t. Its gradient is seeded with
   * gradientPerRow[t], the derivative of the loss with respect to that log-probability.
   */
  readonly logProbs: (
    logits: Variable,
    targets: readonly number[],
    gradientPerRow: readonly number[],
  ) => Float64Array
  /** Carries the seeded gradients back into every variable that took part. Once per tape. */
  readonly backward: () => void
}

export function createVariable(
  rows: number,
  columns: number,
  data: Float64Array = new Float64Array(rows * columns),
): Variable {
  return { rows, columns, data, gradient: new Float64Array(rows * columns) }
}

export function createTape(): Tape {
  const records: (() => void)[] = []

  return {
    gatherRows(table, indices) {
      const n = table.columns
      const y = createVariable(indices.length, n)
      indices.forEach((row, t) => addScaled(y.data, t * n, 1, table.data, row * n, n))
      records.push(() => {
        indices.forEach((row, t) => addScaled(table.gradient, row * n, 1, y.gradient, t * n, n))
      })
      return y
    },

    linear(x, weight) {
      const inputs = x.columns
      const outputs = weight.rows
      const y = createVariable(x.rows, outputs)
      for (let t = 0; t < x.rows; t++) {
        for (let o = 0; o < outputs; o++) {
          y.data[t * outputs + o] = dot(x.data, t * inputs, weight.data, o * inputs, inputs)
        }
      }
      records.push(() => {
        for (let t = 0; t < x.rows; t++) {
          for (let o = 0; o < outputs; o++) {
            const dy = y.gradient[t * outputs + o]!
            addScaled(x.gradient, t * inputs, dy, weight.data, o * inputs, inputs)
            addScaled(weight.gradient, o * inputs, dy, x.data, t * inputs, inputs)
          }
        }
      })
      return y
    },

    add(x, y) {
      const z = createVariable(x.rows, x.columns)
      const n = z.data.length
      addScaled(z.data, 0, 1, x.data, 0, n)
      addScaled(z.data, 0, 1, y.data, 0, n)
      records.push(() => {
        addScaled(x.gradient, 0, 1, z.gradient, 0, n)
        addScaled(y.gradient, 0, 1, z.gradient, 0, n)
      })
      return z
    },

    addBias(x, bias) {
      const n = x.columns
      const y = createVariable(x.rows, n, x.data.slice())
      for (let t = 0; t < x.rows; t++) addScaled(y.data, t * n, 1, bias.data, 0, n)
      records.push(() => {
        addScaled(x.gradient, 0, 1, y.gradient, 0, x.rows * n)
        for (let t = 0; t < x.rows; t++) addScaled(bias.gradient, 0, 1, y.gradient, t * n, n)
      })
      return y
    },

    scale(x, factor) {
      const y = createVariable(x.rows, x.columns)
      addScaled(y.data, 0, factor, x.data, 0, x.data.length)
      records.push(() => {
        addScaled(x.gradient, 0, factor, y.gradient, 0, x.data.length)
      })
      return y
    },

    rmsNorm(x, weight, epsilon) {
      const n = weight.columns
      const y = createVariable(x.rows, x.columns)
      for (let start = 0; start < x.data.length; start += n) {
        const inverseRms = 1 / Math.sqrt(dot(x.data, start, x.data, start, n) / n + epsilon)
        for (let i = 0; i < n; i++) y.data[start + i] = x.data[start + i]! * inverseRms * weight.data[i]!
        records.push(() => {
          // With r = inverseRms and u = dy · weight: dx = r u - x r³ mean(u x); r depends on every x of the run.
          let meanUx = 0
          for (let i = 0; i < n; i++) {
            meanUx += (y.gradient[start + i]! * weight.data[i]! * x.data[start + i]!) / n
          }
          for (let i = 0; i < n; i++) {
            const dy = y.gradient[start + i]!
            weight.gradient[i]! += dy * x.data[start + i]! * inverseRms
            x.gradient[start + i]! += inverseRms * dy * weight.data[i]!
            x.gradient[start + i]! -= x.data[start + i]! * inverseRms ** 3 * meanUx
          }
        })
      }
      return y
    },

    rope(x, frequencies, pairing) {
      const y = createVariable(x.rows, x.columns)
      rotate(x.data, y.data, x.columns, frequencies, pairing, 1)
      records.push(() => {
        // A rotation's transpose is the rotation by the opposite angle.
        rotate(y.gradient, x.gradient, x.columns, frequencies, pairing, -1)
      })
      return y
    },

    attention(q, k, v, headDim) {
      const tokens = q.rows
      const headsPerKvHead = q.columns / k.columns
      const scale = 1 / Math.sqrt(headDim)
      const y = createVariable(tokens, q.columns)
      for (let head = 0; head < q.columns / headDim; head++) {
        const kvHead = Math.floor(head / headsPerKvHead)
        for (let t = 0; t < tokens; t++) {
          const queryAt = t * q.columns + head * headDim
          const keyAt = (s: number) => s * k.columns + kvHead * headDim
          const scores = new Float64Array(t + 1) // token t sees tokens 0 to t
          for (let s = 0; s <= t; s++) scores[s] = scale * dot(q.data, queryAt, k.data, keyAt(s), headDim)
          const shares = softmax(scores)
          shares.forEach((share, s) => addScaled(y.data, queryAt, share, v.data, keyAt(s), headDim))
          records.push(() => {
            const dShares = shares.map((_, s) => dot(y.gradient, queryAt, v.data, keyAt(s), headDim))
            const meanDShare = dot(shares, 0, dShares, 0, shares.length)
            shares.forEach((share, s) => {
              const dScore = share * (dShares[s]! - meanDShare)
              addScaled(v.gradient, keyAt(s), share, y.gradient, queryAt, headDim)
              addScaled(q.gradient, queryAt, scale * dScore, k.data, keyAt(s), headDim)
              addScaled(k.gradient, keyAt(s), scale * dScore, q.data, queryAt, headDim)
            })
          })
        }
      }
      return y
    },

    swiGlu(gate, up) {
      const y = createVariable(gate.rows, gate.columns)
      gate.data.forEach((g, i) => (y.data[i] = g * sigmoid(g) * up.data[i]!))
      records.push(() => {
        gate.data.forEach((g, i) => {
          const dy = y.gradient[i]!
          const s = sigmoid(g)
          up.gradient[i]! += dy * g * s
          gate.gradient[i]! += dy * up.data[i]! * (s + g * s * (1 - s))
        })
      })
      return y
    },

    logProbs(logits, targets, gradientPerRow) {
      const n = logits.columns
      const logProbs = new Float64Array(targets.length)
      targets.forEach((target, t) => {
        const row = logits.data.subarray(t * n, (t + 1) * n)
        const probabilities = softmax(row)
        logProbs[t] = row[target]! - logSumExp(row)
        const seed = gradientPerRow[t]!
        records.push(() => {
          addScaled(logits.gradient, t * n, -seed, probabilities, 0, n)
          logits.gradient[t * n + target]! += seed
        })
      })
      return logProbs
    },

    backward() {
      for (const record of records.reverse()) record()
    },
  }
}

/** Σ a[aStart + i] · b[bStart + i] over `length` elements. */
function dot(a: Float64Array, aStart: number, b: Float64Array, bStart: number, length: number): number {
  let sum = 0
  for (let i = 0; i < length; i++) sum += a[aStart + i]! * b[bStart + i]!
  return sum
}

/** y[yStart + i] += factor · x[xStart + i] over `length` elements. */
function addScaled(
  y: Float64Array,
  yStart: number,
  factor: number,
  x: Float64Array,
  xStart: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) y[yStart + i]! += factor * x[xStart + i]!
}

/** Adds to `to` every head of `from` [tokens, columns], its pairs turned by direction · position · frequency. */
function rotate(
  from: Float64Array,
  to: Float64Array,
  columns: number,
  frequencies: Float64Array,
  pairing: RopePairing,
  direction: 1 | -1,
): void {
  const half = frequencies.length
  for (let start = 0; start < from.length; start += 2 * half) {
    const position = Math.floor(start / columns)
    frequencies.forEach((frequency, j) => {
      const first = start + (pairing === 'neighbors' ? 2 * j : j)
      const second = start + (pairing === 'neighbors' ? 2 * j + 1 : j + half)
      const cos = Math.cos(direction * position * frequency)
      const sin = Math.sin(direction * position * frequency)
      to[first]! += from[first]! * cos - from[second]! * sin
      to[second]! += from[first]! * sin + from[second]! * cos
    })
  }
}

function logSumExp(values: Float64Array): number {
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity)
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0))
}

function softmax(values: Float64Array): Float64Array {
  const logTotal = logSumExp(values)
  return values.map((value) => Math.exp(value - logTotal))
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}
