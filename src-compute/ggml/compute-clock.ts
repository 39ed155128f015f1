/** How long this process has been inside llama.cpp and ggml: decoding batches and running graphs, nothing else. */
export class ComputeClock {
  #milliseconds = 0

  /** All measured work so far, each call with the hand-over to the thread it runs on (20 to 50 µs). */
  get seconds(): number {
    return this.#milliseconds / 1000
  }

  async measure<Result>(work: () => Promise<Result>): Promise<Result> {
    const started = performance.now()
    try {
      return await work()
    } finally {
      this.#milliseconds += performance.now() - started
    }
  }
}
