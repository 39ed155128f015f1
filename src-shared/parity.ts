/** How far two ways to run a model are apart, and how far they may be: log-probabilities of a probe text, in nats. */
export type ParityLimit = { readonly worst: number; readonly mean: number }

/** Differences are absolute. */
export type Parity = {
  readonly tokens: number
  readonly worst: number
  readonly mean: number
  readonly effect: number // the mean difference that the adapters themselves make
  readonly limit: ParityLimit
}
