/** Watches a loop at work, through the ports it works with: how long each phase takes, and how much of that computes. */
import type {
  ComputePort,
  GenerateInput,
  GenerateOutput,
  AllMethods,
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
  readonly #computeSeconds = { generator: 0, trainer: 0 }
  #unit: SealProgress['phase'] = 'evaluating'

  constructor(port: ComputePort) {
    this.#port = port
    this.compute = {
      request: async (method, input, options) => {
        const phase = phaseOf(method, this.#unit)
        const started = performance.now()
        const output = await port.request(method, input, options)
        const computeSeconds = await this.#computedSince(processOf(method), options.signal)
        this.#add(phase, performance.now() - started, computeSeconds)
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
    for (const process of ['generator', 'trainer'] as const) await this.#computedSince(process, signal)
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
  async #computedSince(process: ComputeProcess, signal: AbortSignal): Promise<number> {
    const before = this.#computeSeconds[process]
    const now = await this.#port.request(`${process}.computeSeconds`, {}, { signal })
    this.#computeSeconds[process] = now
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
