/**
 * The best approximation of a low-rank change at a lower rank (Eckart and Young): the singular value decomposition of
 * ΔW = B·A, formed through the small core between orthonormal bases of B's columns and A's rows. All in float64.
 */
import type { Factors } from '../../src-shared/gguf/lora-factors.ts'
import { dot, rowBasis } from './lora-geometry.ts'

export type Truncated = {
  readonly factors: Factors
  readonly square: number // ‖ΔW‖², the squared Frobenius norm
  readonly kept: number // ‖approximation‖² / ‖ΔW‖², 1 for a change that is zero
}

/** At most `rank` of the singular directions, each factor with the root of the singular value. */
export function truncateFactors(change: Factors, rank: number): Truncated {
  const { inputs, outputs } = change
  const rows = rowBasis(change) // of A
  const columns = rowBasis({ ...change, inputs: outputs, a: transposed(change.b, outputs, change.rank) }) // of B
  const core = coreOf(change, columns, rows)
  const parts = singularParts(core).sort((one, other) => other.value - one.value)
  const square = squares(parts)
  const chosen = parts.slice(0, rank)
  const width = Math.min(rank, change.rank)
  const a = new Float64Array(width * inputs)
  const b = new Float64Array(outputs * width)
  chosen.forEach(({ value, left, right }, place) => {
    const root = Math.sqrt(value)
    rows.forEach((row, index) => {
      for (let input = 0; input < inputs; input++)
        a[place * inputs + input]! += root * right[index]! * row[input]!
    })
    columns.forEach((column, index) => {
      for (let output = 0; output < outputs; output++)
        b[output * width + place]! += root * left[index]! * column[output]!
    })
  })
  return {
    factors: { rank: width, inputs, outputs, a, b },
    square,
    kept: square > 0 ? squares(chosen) / square : 1,
  }
}

type SingularPart = { readonly value: number; readonly left: Float64Array; readonly right: Float64Array }

const squares = (parts: readonly SingularPart[]): number =>
  parts.reduce((sum, { value }) => sum + value * value, 0)

/** [columns][rows]: QᵀB · A·Pᵀ for the bases Q of B's columns and P of A's rows. */
function coreOf(
  { rank, inputs, outputs, a, b }: Factors,
  columns: readonly Float64Array[],
  rows: readonly Float64Array[],
): Float64Array[] {
  const right = Array.from({ length: rank }, (_, k) => {
    const row = a.subarray(k * inputs, (k + 1) * inputs)
    return rows.map((basis) => dot(row, basis))
  })
  return columns.map((basis) => {
    const line = new Float64Array(rows.length)
    for (let k = 0; k < rank; k++) {
      let share = 0
      for (let output = 0; output < outputs; output++) share += basis[output]! * b[output * rank + k]!
      right[k]!.forEach((value, index) => (line[index]! += share * value))
    }
    return line
  })
}

const mostSweeps = 60 // far more than convergence takes, which is quadratic

/**
 * One-sided Jacobi rotations (Hestenes 1958): turns pairs of the matrix's lines until all are orthogonal. Their lengths
 * are the singular values, small ones as accurate as large ones.
 */
function singularParts(matrix: readonly Float64Array[]): SingularPart[] {
  const lines = matrix.map((line) => line.slice())
  const turns = matrix.map((_, index) => Float64Array.from(matrix, (_line, other) => Number(index === other)))
  for (let sweep = 0, hasTurned = true; hasTurned && sweep < mostSweeps; sweep++) {
    hasTurned = false
    for (let p = 0; p < lines.length; p++) {
      for (let q = p + 1; q < lines.length; q++) {
        const [one, other] = [lines[p]!, lines[q]!]
        const [oneSquare, otherSquare, product] = [dot(one, one), dot(other, other), dot(one, other)]
        if (Math.abs(product) <= 1e-15 * Math.sqrt(oneSquare * otherSquare)) continue
        hasTurned = true
        const zeta = (otherSquare - oneSquare) / (2 * product)
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta))
        const cosine = 1 / Math.hypot(1, tangent)
        rotate(one, other, cosine, cosine * tangent)
        rotate(turns[p]!, turns[q]!, cosine, cosine * tangent)
      }
    }
  }
  // turns · matrix = lines, so that matrix = Σ turnsᵢᵀ · linesᵢ
  return lines.flatMap((line, index) => {
    const value = Math.sqrt(dot(line, line))
    return value > 0 ? [{ value, left: turns[index]!, right: line.map((entry) => entry / value) }] : []
  })
}

function rotate(one: Float64Array, other: Float64Array, cosine: number, sine: number): void {
  for (let index = 0; index < one.length; index++) {
    const [x, y] = [one[index]!, other[index]!]
    one[index] = cosine * x - sine * y
    other[index] = sine * x + cosine * y
  }
}

/** [rows, columns] → [columns, rows] */
function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(matrix.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = matrix[row * columns + column]!
  return result
}
