/**
 * Samples completions: many prompts × many seeds as parallel sequences. A sequence that ends makes room for the next
 * completion at once. Prompts are evaluated alone, and every completion draws from a stream of its own seed, so that a
 * completion does not depend on what else is decoded beside it (docs/adr/0002 says how exactly that holds).
 */
import type {
  Completion,
  FinishReason,
  GenerateInput,
  GenerateOutput,
  GenerateProgress,
  Piece,
} from '../../src-shared/compute-protocol.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import { LlamaBatch, type LlamaContext } from '../ggml/llama-context.ts'
import { LlamaGrammar } from '../ggml/llama-grammar.ts'
import type { LlamaModel } from '../ggml/llama-model.ts'
import type { ComputeJob } from '../serve.ts'
import { promptBatch } from './batch-size.ts'
import { CompletionText } from './completion-text.ts'
import { planGeneration, type GenerationPlan } from './generation-plan.ts'
import type { OrderedPrompt } from './prompt-order.ts'
import { createSampler, type Sampler } from './sampling.ts'
import type { Session } from './session.ts'

const progressEveryMs = 100

type Work = { readonly prompt: OrderedPrompt; readonly completion: OrderedPrompt['completions'][number] }

type Running = Work & {
  readonly text: CompletionText
  readonly random: () => number
  readonly grammar: LlamaGrammar | undefined // at the text's end
  readonly logProbs: number[] // of the tokens, the end token included
  lastToken: number
  tokens: number
}

/** One sequence of the context and the completion it is busy with. */
type Slot = { readonly sequence: number; running: Running | undefined }

/** Throws `invalid_input` for settings or a grammar that cannot be, before anything is computed. */
export async function generate(
  session: Session,
  input: GenerateInput,
  job: ComputeJob<GenerateProgress>,
): Promise<GenerateOutput> {
  const started = performance.now()
  const model = await session.model(input)
  const plan = planGeneration(model, input)
  const context = await session.context(model, { ...input, shape: plan.shape })
  const grammar = input.grammar === undefined ? undefined : LlamaGrammar.create(model, input.grammar)
  const generation = new Generation(model, context, input, plan, grammar, job)
  const finished = await generation.run().finally(() => grammar?.dispose())
  return {
    completions: input.prompts.map(({ seeds }, prompt) =>
      seeds.map((_, index) => finished.get(key({ prompt, index }))!),
    ),
    promptTokens: generation.evaluated,
    seconds: (performance.now() - started) / 1000,
  }
}

const key = ({ prompt, index }: { readonly prompt: number; readonly index: number }): string =>
  `${prompt} ${index}`

function piecesOf({ text, logProbs }: Running): Piece[] {
  return text.pieces.map((piece, index) => ({ text: piece, logProb: logProbs[index]! }))
}

class Generation {
  readonly #model: LlamaModel
  readonly #context: LlamaContext
  readonly #input: GenerateInput
  readonly #job: ComputeJob<GenerateProgress>
  readonly #plan: GenerationPlan
  readonly #grammar: LlamaGrammar | undefined // at the beginning of a text
  readonly #sample: Sampler
  readonly #slots: readonly Slot[]
  readonly #batch = new LlamaBatch(promptBatch)
  readonly #finished = new Map<string, Completion>()
  /** The prompt in evaluation order that has been started last, the slot that still holds it, and what follows it. */
  #current: { readonly prompt: OrderedPrompt; slot: Slot; readonly logits: Float32Array } | undefined
  #tokens = 0
  #lastProgress = 0
  evaluated = 0

  constructor(
    model: LlamaModel,
    context: LlamaContext,
    input: GenerateInput,
    plan: GenerationPlan,
    grammar: LlamaGrammar | undefined,
    job: ComputeJob<GenerateProgress>,
  ) {
    this.#model = model
    this.#context = context
    this.#input = input
    this.#job = job
    this.#plan = plan
    this.#grammar = grammar
    this.#sample = createSampler(input.sampling, model.vocabularySize)
    this.#slots = Array.from({ length: plan.parallel }, (_, sequence) => ({ sequence, running: undefined }))
  }

  /** To be called once. */
  async run(): Promise<ReadonlyMap<string, Completion>> {
    try {
      return await this.#run()
    } finally {
      for (const { running } of this.#slots) running?.grammar?.dispose()
    }
  }

  async #run(): Promise<ReadonlyMap<string, Completion>> {
    const queue = this.#plan.prompts.flatMap((prompt) =>
      prompt.completions.map((completion): Work => ({ prompt, completion })),
    )
    let next = 0
    for (;;) {
      for (const slot of this.#slots) {
        while (!slot.running && next < queue.length) await this.#start(slot, queue[next++]!)
      }
      if (next === queue.length) this.#closeGaps()
      this.#report(queue.length)
      if (!this.#slots.some(({ running }) => running)) return this.#finished
      await this.#step()
    }
  }

  /** Sequences decoded together must be neighbours: moves the last ones into the places of those that have ended. */
  #closeGaps(): void {
    for (const gap of this.#slots) {
      if (gap.running) continue
      const last = this.#slots.findLast(({ running }) => running)
      if (!last?.running || last.sequence < gap.sequence) return
      this.#context.copy(last.sequence, gap.sequence, this.#positionOf(last.running))
      gap.running = last.running
      last.running = undefined
    }
  }

  /** Where its next token goes. */
  #positionOf({ prompt, tokens }: Running): number {
    return prompt.tokens.length + tokens - 1
  }

  /** Puts a completion's prompt into a slot and takes the first token. */
  async #start(slot: Slot, { prompt, completion }: Work): Promise<void> {
    if (this.#current?.prompt !== prompt) {
      const logits = await this.#evaluate(slot, prompt)
      this.#current = { prompt, slot, logits }
    } else {
      this.#take(slot, prompt.tokens.length)
      this.#current.slot = slot
    }
    slot.running = {
      prompt,
      completion,
      text: new CompletionText(this.#input.sampling.stop),
      random: uniformFloat('completion', completion.seed),
      grammar: this.#grammar?.copy(),
      logProbs: [],
      lastToken: -1,
      tokens: 0,
    }
    this.#accept(slot, slot.running, this.#current.logits)
  }

  /** Evaluates what the prompt does not share with the one before; returns the logits after its last token. */
  async #evaluate(slot: Slot, { tokens, shared }: OrderedPrompt): Promise<Float32Array> {
    const batch = this.#batch
    this.#take(slot, shared)
    let row = 0
    for (let position = shared; position < tokens.length;) {
      batch.clear()
      for (; position < tokens.length && !batch.isFull; position++) {
        row = batch.add(tokens[position]!, position, slot.sequence, position === tokens.length - 1)
      }
      await this.#decode()
    }
    this.evaluated += tokens.length - shared
    return this.#context.logits(row)
  }

  /** Makes a slot's sequence the first `length` tokens of the current prompt. */
  #take({ sequence }: Slot, length: number): void {
    const source = this.#current?.slot.sequence
    if (length === 0 || source === undefined || source === sequence) this.#context.truncate(sequence, length)
    else this.#context.copy(source, sequence, length)
  }

  /** One more token for every running completion. */
  async #step(): Promise<void> {
    const batch = this.#batch
    batch.clear()
    const rows: { readonly slot: Slot; readonly running: Running; readonly row: number }[] = []
    for (const slot of this.#slots) {
      const { running } = slot
      if (!running) continue
      rows.push({
        slot,
        running,
        row: batch.add(running.lastToken, this.#positionOf(running), slot.sequence, true),
      })
    }
    for (let idle = rows.length; idle % this.#plan.rowMultiple !== 0; idle++) {
      this.#context.truncate(idle, 0)
      batch.add(rows[0]!.running.lastToken, 0, idle, true)
    }
    await this.#decode()
    for (const { slot, running, row } of rows) this.#accept(slot, running, this.#context.logits(row))
  }

  async #decode(): Promise<void> {
    this.#job.signal.throwIfAborted()
    await this.#context.decode(this.#batch)
  }

  /** Samples the completion's next token and frees the slot if that was the last. */
  #accept(slot: Slot, running: Running, logits: Float32Array): void {
    const { token, logProb } = this.#sample(logits, running.random, running.grammar)
    running.logProbs.push(logProb)
    const reason = this.#add(running, token)
    if (!reason) return
    slot.running = undefined
    const { text, logProbs, completion, grammar } = running
    grammar?.dispose()
    this.#finished.set(key(completion), {
      text: text.text,
      tokens: running.tokens,
      finishReason: reason,
      seed: completion.seed,
      logProb: logProbs.reduce((sum, each) => sum + each, 0),
      ...(this.#input.withPieces && { pieces: piecesOf(running) }),
    })
  }

  /** Returns why the completion ends with this token, if it does. */
  #add(running: Running, token: number): FinishReason | undefined {
    if (this.#model.endsGeneration(token)) return 'end'
    running.grammar?.accept(token)
    running.lastToken = token
    running.tokens++
    this.#tokens++
    if (running.text.add(this.#model.pieceOf(token))) return 'stop'
    const isFull = running.prompt.tokens.length + running.tokens > this.#plan.window
    return running.tokens >= this.#input.sampling.maxTokens || isFull ? 'length' : undefined
  }

  #report(total: number): void {
    const done = this.#finished.size
    const now = performance.now()
    if (done < total && now - this.#lastProgress < progressEveryMs) return
    this.#lastProgress = now
    this.#job.progress({ done, total, tokens: this.#tokens })
  }
}
