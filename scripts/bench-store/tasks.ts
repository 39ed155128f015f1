/** Invented passages with their questions, and the lines that self-edits about them are made of. */
import { tasksetSha256 } from '../../src-core/tasksets/taskset-hash.ts'
import { uniformFloat } from '../../src-shared/random.ts'
import type { PassageTask, Taskset } from '../../src-shared/task.ts'

const words =
  `harbour tide cliff lantern keeper storm herring rope tower signal winter ferry island channel gull rock sand
   village bridge market boat sail net anchor fog bell north south deep shallow early late old small grey white
   heavy steep quiet narrow carries guards follows crosses reaches leaves keeps finds turns holds under above
   behind beyond along before after during without near every third second last first`.split(/\s+/)

export function sentence(draw: () => number, length: number): string {
  const picked = Array.from({ length }, () => words[Math.floor(draw() * words.length)]!)
  return `The ${picked.join(' ')}.`
}

/** The first ones are held out. */
export function inventTasks(count: number, questions: number): readonly PassageTask[] {
  return Array.from({ length: count }, (_, index) => {
    const draw = uniformFloat('task', index)
    const name = (): string => words[Math.floor(draw() * words.length)]!
    const id = `t${String(index).padStart(3, '0')}`
    return {
      id,
      title: `The ${name()} ${name()} of ${name()}`,
      passage: Array.from({ length: 8 }, () => sentence(draw, 12)).join(' '),
      questions: Array.from({ length: questions }, (_, number) => ({
        id: `${id}.${number}`,
        question: `What ${name()} the ${name()} ${name()}?`,
        referenceAnswer: `the ${name()} ${name()}`,
        aliases: [],
      })),
    }
  })
}

export function makeTaskset(tasks: readonly PassageTask[]): Taskset {
  const splits = { train: tasks.slice(80), validation: [], test: tasks.slice(0, 80) }
  return { name: 'invented coast', sha256: tasksetSha256(splits), splits }
}
