/** What came from what in a run, as a tree: base model, policy versions, their candidates, the trials of these. */
import type { Lineage, LineageNode } from '../../src-shared/api/workbench.ts'
import type { PolicyVersionRecord } from '../../src-shared/records.ts'
import type { LineageCandidate } from '../store/screen-queries.ts'
import type { Store } from '../store/store.ts'

type Trial = { readonly id: string; readonly candidateId: string; readonly number: number }
type Linked = { readonly node: LineageNode; readonly from: string | null }

/** At most `limit` nodes, of which the policy versions come first. Throws `not_found`. */
export function viewLineage(store: Store, runId: string, limit: number): Lineage {
  const { modelSha256 } = store.run(runId)
  const policies = store.rows('policy_versions', runId)
  const candidates = store.screens.lineageCandidates(runId)
  const trials = Map.groupBy(store.screens.trialIds(runId), ({ candidateId }) => candidateId)
  const trialsOf = ({ id }: LineageCandidate): readonly Trial[] => trials.get(id) ?? []

  const base = baseNode(store.screens.modelName(modelSha256), policies)
  const trunk = [
    { node: base, from: null },
    ...policies.map((policy) => policyNode(policy, policies, candidates)),
  ]
  const shown = shownCandidates(candidates, trialsOf, limit - trunk.length)
  const linked: readonly Linked[] = [
    ...trunk.slice(0, limit),
    ...shown.flatMap((candidate) => [
      candidateNode(candidate, trialsOf(candidate).length),
      ...trialsOf(candidate).map((trial) => trialNode(trial, candidate)),
    ]),
  ]
  return {
    nodes: linked.map(({ node }) => node),
    edges: linked.flatMap(({ node, from }) => (from === null ? [] : [{ from, to: node.key }])),
    truncated: shown.length < candidates.length || trunk.length > limit,
  }
}

/** Those with the highest rewards that fit together with their trials, in the order of the ledger. */
function shownCandidates(
  candidates: readonly LineageCandidate[],
  trialsOf: (candidate: LineageCandidate) => readonly Trial[],
  room: number,
): readonly LineageCandidate[] {
  const byReward = candidates.toSorted((a, b) => (b.reward ?? -Infinity) - (a.reward ?? -Infinity) || 0)
  const shown = new Set<LineageCandidate>()
  let left = room
  for (const candidate of byReward) {
    left -= 1 + trialsOf(candidate).length
    if (left < 0) break
    shown.add(candidate)
  }
  return candidates.filter((candidate) => shown.has(candidate))
}

const policyKey = (version: number): string => `policy-${version}`

const baseNode = (label: string, policies: readonly PolicyVersionRecord[]): LineageNode => ({
  key: 'base',
  kind: 'base',
  label,
  reward: null,
  isSelected: false,
  children: policies.filter(({ parent }) => parent === null).length,
})

function policyNode(
  { version, parent }: PolicyVersionRecord,
  policies: readonly PolicyVersionRecord[],
  candidates: readonly LineageCandidate[],
): Linked {
  const children =
    policies.filter((policy) => policy.parent === version).length +
    candidates.filter(({ policyVersion }) => policyVersion === version).length
  const node = { key: policyKey(version), kind: 'policy', label: `policy ${version}`, reward: null } as const
  return {
    node: { ...node, isSelected: false, children },
    from: parent === null ? 'base' : policyKey(parent),
  }
}

function candidateNode(candidate: LineageCandidate, children: number): Linked {
  const { id, title, taskId, number, policyVersion, reward, isSelected } = candidate
  const label = `${title ?? taskId}, candidate ${number}`
  const node = { key: id, kind: 'candidate', label, reward, isSelected: isSelected === 1, children } as const
  return { node, from: policyKey(policyVersion) }
}

function trialNode({ id, number }: Trial, { id: from, reward, isSelected }: LineageCandidate): Linked {
  const label = `trial ${number}`
  const node = { key: id, kind: 'trial', label, reward, isSelected: isSelected === 1, children: 0 } as const
  return { node, from }
}
