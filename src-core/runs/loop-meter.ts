/** Watches a loop at work, through the ports it works with: how long each phase takes, and how much of that computes. */
import type {
  ComputePort,
  GenerateInput,
  GenerateOutput,
  AllMethods,
  Pair,
} from '../../src-shared/compute-protocol.ts'
import { loopPhases, type LoopPhase, type LoopPhaseTime } from '../../src-shared/loop-bench-report.ts'
import type { LedgerPort } from '../loop/ports.ts'
import type { SealProgress } from '../loop/seal.ts'

type Method = keyof AllMethods
type ComputeProcess = 'generator' | 'trainer'

export class LoopMeter {
  readonly compute: ComputePort
  /** The last request for self-edits and what came of it. */
  sampled: { readonly input: GenerateInput; readonly output: GenerateOutput } | undefined
  readonly #port: ComputePort
  readonly #times = new Map(loopPhases.map((phase) => [phase, { seconds: 0, computeSeconds: 0 }]))
  readonly #computeSeconds = new Map<string, number>() // by process and pair
  #unit: SealProgress['phase'] = 'evaluating'

  constructor(port: ComputePort) {
    this.#port = port
    this.compute = {
      request: async (method, input, options) => {
        const phase = phaseOf(method, this.#unit)
        const started = performance.now()
        const output = await port.request(method, input, options)
        const milliseconds = performance.now() - started
        const computeSeconds = await this.#computedSince(processOf(method), options)
        const { of } = options.pair ?? { of: 1 } // of side by side work each has its share of the time
        this.#add(phase, milliseconds / of, computeSeconds / of)
        if (phase === 'sampling') {
          // Sound: nothing but generating is in this phase.
          this.sampled = { input: input as GenerateInput, output: output as GenerateOutput }
        }
        return output
      },
    }
  }

  /** Starts both processes, so that their start is not measured. */
  async start(signal: AbortSignal): Promise<void> {
    for (const process of ['generator', 'trainer'] as const) await this.#computedSince(process, { signal })
  }

  /** To be told of the loop's progress. */
  follow({ phase }: SealProgress): void {
    this.#unit = phase
  }

  ledger(ledger: LedgerPort): LedgerPort {
    const timed = <T>(work: () => T): T => {
      const started = performance.now()
      try {
        return work()
      } finally {
        this.#add('storing', performance.now() - started, 0)
      }
    }
    return {
      rows: (...of) => timed(() => ledger.rows(...of)),
      commit: (...of) => timed(() => ledger.commit(...of)),
      adoptBlob: (path) => timed(() => ledger.adoptBlob(path)),
      blobPath: (sha256) => ledger.blobPath(sha256),
    }
  }

  get phases(): readonly LoopPhaseTime[] {
    return Array.from(this.#times, ([phase, times]) => ({ phase, ...times }))
  }

  #add(phase: LoopPhase, milliseconds: number, computeSeconds: number): void {
    const times = this.#times.get(phase)!
    times.seconds += milliseconds / 1000
    times.computeSeconds += computeSeconds
  }

  /** Since it was asked last; a process that was started again counts from 0. */
  async #computedSince(
    process: ComputeProcess,
    { signal, pair }: { readonly signal: AbortSignal; readonly pair?: Pair },
  ): Promise<number> {
    const key = `${process} ${pair?.index ?? 0}`
    const before = this.#computeSeconds.get(key) ?? 0
    const now = await this.#port.request(`${process}.computeSeconds`, {}, { signal, ...(pair && { pair }) })
    this.#computeSeconds.set(key, now)
    return now < before ? now : now - before
  }
}

const processOf = (method: Method): ComputeProcess =>
  method.startsWith('generator.') ? 'generator' : 'trainer'

/** What a request belongs to follows from the unit of work that makes it. */
function phaseOf(method: Method, unit: SealProgress['phase']): LoopPhase {
  if (method === 'generator.tokenize') return 'tokenizing'
  if (processOf(method) === 'trainer') return unit === 'learning' ? 'policy-training' : 'trial-training'
  return unit === 'writing' ? 'sampling' : 'answering'
}
