/**
 * A migration: what the records of others do not say may be missing. Our own runs know all of it; an imported one has
 * null where its files are silent, so that no screen shows an invented number.
 */
const unknowable = {
  runs: ['seed'],
  candidates: ['seed', 'tokens', 'finish_reason', 'log_prob'],
  trials: ['seed', 'steps'],
  answers: ['tokens'],
} as const

export const schemaUnknown = Object.entries(unknowable)
  .flatMap(([table, columns]) =>
    columns.map((column) => `alter table ${table} alter column ${column} drop not null;`),
  )
  .join('\n')
