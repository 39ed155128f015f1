/** The port through which a host starts a child: child_process under Node, utilityProcess in Electron. */

export type ChildExit = { readonly code: number | null; readonly signal: string | null }

export type ChildHandle = {
  /** Of the operating system; undefined for a child that does not run. */
  processId(): number | undefined
  send(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  /** Whatever the child writes to stdout or stderr. */
  onOutput(listener: (text: string) => void): void
  /** Called once, after the last message and the last output. */
  onExit(listener: (exit: ChildExit) => void): void
  /** Asks the child to end: it may clean up first. */
  stop(): void
  /** Ends the child at once. */
  kill(): void
}

/** Starts the module `entry` (an absolute path) as a child. A child that cannot start reports through `onExit`. */
export type Launch = (entry: string) => ChildHandle
