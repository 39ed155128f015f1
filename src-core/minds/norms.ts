/** How much an adapter changes a model's weights. */
import { compareWeights } from '../views/adapter-weights.ts'

/** Frobenius norm of all its ΔW together. Throws as compareWeights. */
export async function normOf(path: string): Promise<number> {
  const { norms } = await compareWeights([{ key: '', path }])
  return Math.sqrt(norms[0]!.flat().reduce<number>((sum, norm) => sum + (norm ?? 0) ** 2, 0))
}
