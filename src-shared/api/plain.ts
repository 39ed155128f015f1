/** Compile-time proof that a message is plain data: what JSON and structured clone carry without loss. */

export type Plain<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends (...args: never[]) => unknown
    ? never
    : T extends Date | Map<unknown, unknown> | Set<unknown> | ArrayBufferView | bigint | symbol
      ? never
      : T extends readonly (infer U)[]
        ? readonly Plain<U>[]
        : T extends object
          ? { [K in keyof T]: Plain<T[K]> }
          : never

/** The keys of `Table` whose value is not plain data; `never` if all are. */
export type NotPlain<Table> = {
  [K in keyof Table]: Table[K] extends Plain<Table[K]> ? never : K
}[keyof Table]

export type AssertNever<T extends never> = T
