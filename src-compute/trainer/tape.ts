/**
 * Reverse-mode differentiation over a ggml graph. An operation computes its value and leaves behind how to turn the
 * gradient of its results into gradients of its inputs; `backward` replays that in reverse. The gradients are ordinary
 * graph operations too, so they run wherever inference runs.
 */
import type { Graph } from '../ggml/graph.ts'
import type { Tensor } from '../ggml/tensor.ts'

/** A value in the graph. `needsGradient` is false for what does not depend on anything trained. */
export type Variable = {
  readonly value: Tensor
  readonly needsGradient: boolean
  /** Cheap to compute again from values that are kept anyway: the reverse pass does so rather than keep it. */
  readonly rebuild?: () => Tensor
}

type Gradients = readonly (Tensor | undefined)[]
type Entry = {
  readonly inputs: readonly Variable[]
  readonly outputs: readonly Variable[]
  /** Gradients of the outputs (undefined where nothing depends on one) to gradients of the inputs. */
  readonly backward: (gradients: Gradients) => Gradients
}

export class Tape {
  readonly graph: Graph
  /** False for evaluation only: nothing is recorded. */
  readonly #records: boolean
  readonly #entries: Entry[] = []
  readonly #gradients = new Map<Variable, Tensor>()
  readonly #rebuilt = new Map<Variable, Tensor>()

  constructor(graph: Graph, options: { readonly records: boolean }) {
    this.graph = graph
    this.#records = options.records
  }

  /**
   * Records an operation and returns its results as variables.
   * @param trains the operation has parameters of its own, so its reverse pass is needed even if no input is tracked
   */
  operation(options: {
    readonly inputs: readonly Variable[]
    readonly values: readonly Tensor[]
    readonly backward: Entry['backward']
    readonly rebuild?: () => Tensor
    readonly trains?: boolean
  }): Variable[] {
    const { inputs, values, backward, rebuild, trains = false } = options
    const needsGradient = trains || inputs.some((input) => input.needsGradient)
    const outputs = values.map((value): Variable => ({ value, needsGradient, ...(rebuild && { rebuild }) }))
    if (this.#records && needsGradient) this.#entries.push({ inputs, outputs, backward })
    return outputs
  }

  /** The value of a variable during the reverse pass: computed again where that is cheaper than keeping it. */
  recall(variable: Variable): Tensor {
    if (!variable.rebuild) return variable.value
    const known = this.#rebuilt.get(variable) ?? variable.rebuild()
    this.#rebuilt.set(variable, known)
    return known
  }

  /**
   * Runs `body` without keeping its intermediate values; the reverse pass runs it again from the input
   * (activation recomputation, Chen et al. 2016, arXiv 1604.06174).
   */
  recomputed(input: Variable, body: (tape: Tape, input: Variable) => Variable): Variable {
    if (!this.#records) return body(this, input)
    const forward = body(new Tape(this.graph, { records: false }), input)
    return this.operation({
      inputs: [input],
      values: [forward.value],
      trains: forward.needsGradient,
      backward: ([gradient]) => {
        const again = new Tape(this.graph, { records: true })
        const start: Variable = { value: input.value, needsGradient: input.needsGradient }
        const end = body(again, start)
        again.backward(end, gradient!)
        return [again.#gradients.get(start)]
      },
    })[0]!
  }

  /** Propagates `gradient` (of the variable `from`) back to everything it was computed from. */
  backward(from: Variable, gradient: Tensor): void {
    this.#gradients.set(from, gradient)
    for (const { inputs, outputs, backward } of this.#entries.reverse()) {
      const gradients = outputs.map((output) => this.#take(output))
      if (gradients.every((each) => each === undefined)) continue
      const results = backward(gradients)
      inputs.forEach((input, index) => this.#accumulate(input, results[index]))
      for (const output of outputs) this.#rebuilt.delete(output)
    }
    this.#entries.length = 0
  }

  #take(output: Variable): Tensor | undefined {
    const gradient = this.#gradients.get(output)
    this.#gradients.delete(output)
    return gradient
  }

  #accumulate(input: Variable, gradient: Tensor | undefined): void {
    if (!gradient || !input.needsGradient) return
    const sofar = this.#gradients.get(input)
    this.#gradients.set(input, sofar ? this.graph.add(sofar, gradient) : gradient)
  }
}
