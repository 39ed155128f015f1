/** Migration 1: the tables, what keeps them from being rewritten, and the view that derives a run's status. */

const chained = [
  ...['policy_versions', 'rounds', 'candidates', 'trials', 'answers', 'rewards', 'selections', 'adapters'],
  ...['results', 'events', 'measurements'],
]
const appendOnly = [...chained, 'tasksets', 'tasks', 'questions', 'runs']

/** The place of a row in its chain, first in each chained table. */
const link = `
  run_id text not null references runs (id),
  sequence integer not null,
  hash text not null,`

const tables = `
create table models (
  sha256 text primary key,
  path text not null,
  name text not null,
  architecture text not null,
  quantization text not null,
  size_bytes integer not null,
  added_at_ms integer not null,
  source text not null,
  checksum text not null
) strict;

create table tasksets (
  sha256 text primary key,
  name text not null,
  source text not null,
  checksum text not null
) strict;

create table tasks (
  taskset_sha256 text not null references tasksets (sha256),
  id text not null,
  split text not null check (split in ('train', 'validation', 'test')),
  title text not null,
  passage text not null,
  sha256 text not null,
  position integer not null,
  primary key (taskset_sha256, id),
  unique (taskset_sha256, position)
) strict;

create table questions (
  taskset_sha256 text not null,
  id text not null,
  task_id text not null,
  question text not null,
  reference_answer text not null,
  aliases text not null,
  position integer not null,
  primary key (taskset_sha256, id),
  unique (taskset_sha256, task_id, position),
  foreign key (taskset_sha256, task_id) references tasks (taskset_sha256, id)
) strict;

create table runs (
  id text primary key,
  name text not null,
  kind text not null check (kind in ('seal', 'learn', 'import')),
  recipe_toml text not null,
  config text not null,
  seed integer not null,
  model_sha256 text not null references models (sha256),
  taskset_sha256 text not null references tasksets (sha256),
  code_version text not null,
  genesis_hash text not null,
  created_at_ms integer not null,
  checksum text not null
) strict;

-- The last link of each chain: without it a chain that lost its end would look complete.
create table heads (
  run_id text not null references runs (id),
  chain text not null check (chain in ('ledger', 'events', 'measurements')),
  sequence integer not null,
  hash text not null,
  primary key (run_id, chain)
) strict;

create table events (${link}
  at_ms integer not null,
  type text not null,
  data text not null
) strict;

create table measurements (${link}
  subject text not null,
  name text not null,
  value real not null,
  at_ms integer not null
) strict;

create table adapters (${link}
  sha256 text not null,
  kind text not null check (kind in ('trial', 'policy')),
  lora text not null,
  base_sha256 text not null,
  parents text not null,
  steps integer not null,
  size_bytes integer not null,
  primary key (run_id, sha256)
) strict;

create table policy_versions (${link}
  version integer not null,
  adapter_sha256 text,
  parent integer,
  training text not null,
  primary key (run_id, version),
  foreign key (run_id, parent) references policy_versions (run_id, version),
  foreign key (run_id, adapter_sha256) references adapters (run_id, sha256)
) strict;

create table rounds (${link}
  round integer not null,
  policy_version integer not null,
  tasks text not null,
  primary key (run_id, round),
  foreign key (run_id, policy_version) references policy_versions (run_id, version)
) strict;

create table candidates (${link}
  id text not null,
  arm text not null,
  round integer not null,
  task_id text not null,
  number integer not null,
  policy_version integer not null,
  prompt_key text not null,
  prompt text not null,
  sampling text not null,
  seed integer not null,
  text text not null,
  tokens integer not null,
  finish_reason text not null,
  log_prob real not null,
  primary key (run_id, id),
  foreign key (run_id, policy_version) references policy_versions (run_id, version)
) strict;

create table trials (${link}
  id text not null,
  candidate_id text not null,
  number integer not null,
  seed integer not null,
  config text not null,
  sequences text not null,
  status text not null check (status in ('done', 'failed')),
  error text not null,
  steps integer not null,
  losses text not null,
  adapter_sha256 text,
  primary key (run_id, id),
  foreign key (run_id, candidate_id) references candidates (run_id, id)
) strict;

create table answers (${link}
  id text not null,
  trial_id text,
  arm text not null,
  policy_version integer,
  task_id text not null,
  question_id text not null,
  text text not null,
  tokens integer not null,
  verdict text not null check (verdict in ('correct', 'incorrect', 'ungraded')),
  grader text not null,
  judge text not null,
  primary key (run_id, id),
  foreign key (run_id, trial_id) references trials (run_id, id),
  foreign key (run_id, policy_version) references policy_versions (run_id, version)
) strict;

create table rewards (${link}
  candidate_id text not null,
  value real,
  definition text not null,
  trials integer not null,
  graded integer not null,
  ungraded integer not null,
  baseline real,
  primary key (run_id, candidate_id),
  foreign key (run_id, candidate_id) references candidates (run_id, id)
) strict;

create table selections (${link}
  candidate_id text not null,
  round integer not null,
  rule text not null,
  primary key (run_id, candidate_id, rule),
  foreign key (run_id, candidate_id) references candidates (run_id, id)
) strict;

create table results (${link}
  name text not null,
  data text not null,
  primary key (run_id, name)
) strict;

create index candidates_by_round on candidates (run_id, round, arm);
create index candidates_by_arm on candidates (run_id, arm);
create index candidates_by_task on candidates (run_id, task_id);
create index trials_by_candidate on trials (run_id, candidate_id);
create index answers_by_trial on answers (run_id, trial_id);
create index answers_by_arm on answers (run_id, arm);
create index answers_by_task on answers (run_id, task_id);
create index selections_by_round on selections (run_id, round);
create index measurements_by_subject on measurements (run_id, subject);
create index events_of_status on events (run_id, sequence)
  where type in ('queued', 'running', 'paused', 'cancelled', 'failed', 'done');

create view run_status as
  select run_id, max(sequence) as sequence, type as status, at_ms from events indexed by events_of_status
  where type in ('queued', 'running', 'paused', 'cancelled', 'failed', 'done')
  group by run_id;
`

const order = chained
  .map((table) => `create unique index ${table}_in_order on ${table} (run_id, sequence);`)
  .join('\n')

/** Models may be found at another path, heads move forward; everything else stays as it was written. */
const guards = `
${appendOnly
  .map(
    (table) => `create trigger ${table}_are_not_updated before update on ${table}
  begin select raise(abort, 'rows of ${table} are never changed'); end;`,
  )
  .join('\n')}
${[...appendOnly, 'models', 'heads']
  .map(
    (table) => `create trigger ${table}_are_not_deleted before delete on ${table}
  begin select raise(abort, 'rows of ${table} are never deleted'); end;`,
  )
  .join('\n')}
create trigger heads_move_forward before update on heads
  when new.sequence <= old.sequence or new.run_id <> old.run_id or new.chain <> old.chain
  begin select raise(abort, 'heads only move forward'); end;
`

export const schema1 = tables + order + guards
