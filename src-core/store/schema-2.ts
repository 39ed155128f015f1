/** Migration 2: minds and their histories, which are only ever appended to. */

export const schema2 = `
create table minds (
  id text primary key,
  name text not null,
  model_sha256 text not null references models (sha256),
  model_path text not null,
  config text not null,
  seed integer not null,
  code_version text not null,
  genesis_hash text not null,
  created_at_ms integer not null,
  checksum text not null
) strict;

create table mind_events (
  mind_id text not null references minds (id),
  sequence integer not null,
  hash text not null,
  type text not null,
  data text not null,
  at_ms integer not null,
  primary key (mind_id, sequence)
) strict;

-- The last link of each history: without it one that lost its end would look complete.
create table mind_heads (
  mind_id text primary key references minds (id),
  sequence integer not null,
  hash text not null
) strict;

${['minds', 'mind_events']
  .map(
    (table) => `create trigger ${table}_are_not_updated before update on ${table}
  begin select raise(abort, 'rows of ${table} are never changed'); end;`,
  )
  .join('\n')}
${['minds', 'mind_events', 'mind_heads']
  .map(
    (table) => `create trigger ${table}_are_not_deleted before delete on ${table}
  begin select raise(abort, 'rows of ${table} are never deleted'); end;`,
  )
  .join('\n')}
create trigger mind_heads_move_forward before update on mind_heads
  when new.sequence <= old.sequence or new.mind_id <> old.mind_id
  begin select raise(abort, 'heads only move forward'); end;
`
