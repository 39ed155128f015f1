/**
 * What two low-rank changes ΔW = B·A have in common, computed through matrices of their ranks alone: the products of
 * the full size, outputs × inputs, are never made. All in float64.
 */
import type { Factors } from '../../src-shared/gguf/lora-factors.ts'

/**
 * ⟨B·A, B′·A′⟩ as matrices, which is the sum over (BᵀB′) ∘ (AA′ᵀ): rank × rank′ numbers each. Matrices of different
 * shapes have nothing in common: 0.
 */
export function innerProduct(one: Factors, other: Factors): number {
  if (!haveSameShape(one, other)) return 0
  const left = columnProducts(one, other)
  const right = rowProducts(one, other)
  let sum = 0
  for (let index = 0; index < left.length; index++) sum += left[index]! * right[index]!
  return sum
}

export const haveSameShape = (one: Factors, other: Factors): boolean =>
  one.inputs === other.inputs && one.outputs === other.outputs

/** BᵀB′, [rank, rank′]. */
function columnProducts(one: Factors, other: Factors): Float64Array {
  const products = new Float64Array(one.rank * other.rank)
  for (let output = 0; output < one.outputs; output++) {
    for (let k = 0; k < one.rank; k++) {
      const factor = one.b[output * one.rank + k]!
      for (let l = 0; l < other.rank; l++) {
        products[k * other.rank + l]! += factor * other.b[output * other.rank + l]!
      }
    }
  }
  return products
}

/** AA′ᵀ, [rank, rank′]. */
function rowProducts(one: Factors, other: Factors): Float64Array {
  const otherRows = rowsOf(other)
  return Float64Array.from(rowsOf(one).flatMap((row) => otherRows.map((otherRow) => dot(row, otherRow))))
}

function rowsOf({ a, rank, inputs }: Factors): Float64Array[] {
  return Array.from({ length: rank }, (_, row) => a.subarray(row * inputs, (row + 1) * inputs))
}

/** A row counts as a combination of those before it if less than this share of its length stands out of them. */
const leastShare = 1e-6 // A comes in single precision

/**
 * An orthonormal basis of the rows of A: as many vectors as A has linearly independent rows. Gram-Schmidt, each row
 * twice: the second time removes what rounding left of the first.
 */
export function rowBasis(factors: Factors): Float64Array[] {
  const basis: Float64Array[] = []
  for (const row of rowsOf(factors)) {
    const rest = row.slice()
    for (let pass = 0; pass < 2; pass++) for (const vector of basis) subtract(rest, vector, dot(rest, vector))
    const length = Math.sqrt(dot(rest, rest))
    if (length > leastShare * Math.sqrt(dot(row, row))) basis.push(rest.map((value) => value / length))
  }
  return basis
}

/**
 * Sum of the squared cosines of the principal angles between two spaces, given by orthonormal bases. There are as many
 * angles as the smaller space has dimensions.
 */
export function squaredCosines(
  one: readonly Float64Array[],
  other: readonly Float64Array[],
): { readonly sum: number; readonly angles: number } {
  if (one === other) return { sum: one.length, angles: one.length }
  let sum = 0
  for (const vector of one) for (const otherVector of other) sum += dot(vector, otherVector) ** 2
  return { sum, angles: Math.min(one.length, other.length) }
}

export function dot(one: Float64Array, other: Float64Array): number {
  let sum = 0
  for (let index = 0; index < one.length; index++) sum += one[index]! * other[index]!
  return sum
}

/** from −= factor · vector */
function subtract(from: Float64Array, vector: Float64Array, factor: number): void {
  for (let index = 0; index < from.length; index++) from[index]! -= factor * vector[index]!
}
