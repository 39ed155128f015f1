/**
 * What training beside finished adapters is compared with, by other means than the trainer's: the adapters are merged
 * into the weights, and O-LoRA's penalty is summed row by row.
 */
import type { ReferenceLora, ReferenceModel, ReferenceTensor, ReferenceTensors } from './model.ts'

/** The model whose weights are W + Σ scale · scaling · B A. */
export function mergeAdapters(
  { config, weights }: ReferenceModel,
  adapters: readonly { readonly lora: ReferenceLora; readonly scale: number }[],
): ReferenceModel {
  const merged = new Map(weights)
  for (const { lora, scale } of adapters) {
    for (const [name, a] of lora.tensors) {
      if (!name.endsWith('.lora_a')) continue
      const target = name.replace('.lora_a', '')
      const b = lora.tensors.get(`${target}.lora_b`)!
      const { shape, data } = merged.get(target)!
      const [inputs = 0, rank = 0] = a.shape
      const sum = data.map((weight, index) => {
        const output = Math.floor(index / inputs)
        let product = 0
        for (let row = 0; row < rank; row++)
          product += b.data[output * rank + row]! * a.data[row * inputs + (index % inputs)]!
        return weight + scale * lora.scaling * product
      })
      merged.set(target, { shape, data: sum })
    }
  }
  return { config, weights: merged }
}

/** Σ over matrices ‖A·A_earlierᵀ‖²_F and its derivative by each A that is trained. */
export function orthogonality(
  trained: ReferenceLora,
  earlier: readonly ReferenceLora[],
): { value: number; gradients: ReferenceTensors } {
  let value = 0
  const gradients = new Map<string, ReferenceTensor>()
  for (const [name, { shape, data }] of trained.tensors) {
    if (!name.endsWith('.lora_a')) continue
    const [inputs = 0] = shape
    const gradient = new Float64Array(data.length)
    for (const { tensors } of earlier) {
      const other = tensors.get(name)?.data ?? new Float64Array(0)
      for (let row = 0; row < data.length; row += inputs) {
        for (let otherRow = 0; otherRow < other.length; otherRow += inputs) {
          let dot = 0
          for (let i = 0; i < inputs; i++) dot += data[row + i]! * other[otherRow + i]!
          value += dot ** 2
          for (let i = 0; i < inputs; i++) gradient[row + i]! += 2 * dot * other[otherRow + i]!
        }
      }
    }
    gradients.set(name, { shape, data: gradient })
  }
  return { value, gradients }
}
