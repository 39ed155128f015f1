/** Faults of the tasks themselves: passages that stand twice, and passages that were learned from and tested on. */
import type { ReportFinding } from '../../src-shared/api/evidence.ts'
import { isFewShot, taskText, type Task } from '../../src-shared/task.ts'
import type { RunEvidence } from './evidence.ts'
import { finding, taskRow } from './finding.ts'
import { plainOf, wordsOf } from './plain-words.ts'

export function auditTasks(evidence: RunEvidence): ReportFinding[] {
  const used = usedTasks(evidence)
  const tasks = used.some(({ task }) => isFewShot(task)) ? 'puzzles' : 'passages'
  const byPassage = [...Map.groupBy(used, ({ task }) => plainOf(taskText(task))).values()].filter(
    ({ length }) => length > 1,
  )
  const isMixed = (group: readonly Used[]): boolean => new Set(group.map(({ use }) => use)).size > 1
  const { run } = evidence
  const rows = (groups: readonly (readonly Used[])[]) =>
    groups.flat().map(({ task }) => taskRow(run.id, task.id))
  const contaminated = [...byPassage.filter(isMixed), ...nearCopies(used)]
  const duplicates = byPassage.filter((group) => !isMixed(group))
  return [
    ...(contaminated.length > 0
      ? [
          finding(
            `contamination/${run.id}`,
            'error',
            `${contaminated.length} ${tasks} or questions of ${run.id} are learned from and tested on: “${contaminated[0]![0]!.task.title}” is one. What is measured there is memory. Take them out of one of the splits.`,
            rows(contaminated),
          ),
        ]
      : []),
    ...(duplicates.length > 0
      ? [
          finding(
            `duplicate-passages/${run.id}`,
            'warning',
            `${duplicates.length} ${tasks} of ${run.id} stand more than once (“${duplicates[0]![0]!.task.title}” does): they weigh double, and intervals over ${tasks} are too narrow. Keep each once.`,
            rows(duplicates),
          ),
        ]
      : []),
  ]
}

type Used = { readonly task: Task; readonly use: 'learned' | 'tested' }

/** The training split, and what was tested of the others: validation tasks that no arm met do no harm. */
function usedTasks({ tasks, splitOf, arms }: RunEvidence): Used[] {
  const tested = new Set(
    [...arms]
      .filter(([arm]) => arm !== 'train' && !arm.startsWith('baseline-'))
      .flatMap(([, answers]) => answers.map(({ taskId }) => taskId)),
  )
  return [...tasks.values()].flatMap((task): Used[] => {
    const isLearned = splitOf.get(task.id) === 'train'
    return [
      ...(isLearned ? [{ task, use: 'learned' } as const] : []),
      ...(tested.has(task.id) || (!isLearned && splitOf.get(task.id) === 'test')
        ? [{ task, use: 'tested' } as const]
        : []),
    ]
  })
}

const shingle = 8 // words
const nearShare = 0.5 // of the shorter passage's shingles

/** Pairs of different passages on both sides that share half of their eight-word runs. */
function nearCopies(used: readonly Used[]): Used[][] {
  const owners = new Map<string, Used[]>()
  const sizes = new Map<Used, number>()
  for (const each of used) {
    if (isFewShot(each.task)) continue // rows of one colour are shared by puzzles that have nothing in common
    const words = wordsOf(each.task.passage)
    const runs = new Set(
      words
        .slice(0, Math.max(0, words.length - shingle + 1))
        .map((_, from) => words.slice(from, from + shingle).join(' ')),
    )
    sizes.set(each, runs.size)
    for (const run of runs) {
      const same = owners.get(run) ?? []
      if (same.push(each) === 1) owners.set(run, same)
    }
  }
  const shared = new Map<Used, Map<Used, number>>()
  for (const group of owners.values()) {
    const [learned, tested] = [
      group.filter(({ use }) => use === 'learned'),
      group.filter(({ use }) => use === 'tested'),
    ]
    if (group.length > 50) continue // boilerplate, which says nothing about a pair
    for (const a of learned)
      for (const b of tested) {
        if (plainOf(taskText(a.task)) === plainOf(taskText(b.task))) continue
        const counts = shared.get(a) ?? new Map<Used, number>()
        shared.set(a, counts.set(b, (counts.get(b) ?? 0) + 1))
      }
  }
  return [...shared].flatMap(([a, counts]) =>
    [...counts].flatMap(([b, count]) =>
      count >= nearShare * Math.min(sizes.get(a)!, sizes.get(b)!) ? [[a, b]] : [],
    ),
  )
}
