/** Migration 4: puzzles, whose tasks have demonstrations instead of a passage (which is '' there). */
export const schema4 = `
alter table tasks add column demonstrations text;
`
