/**
 * The atlas taskset: passages about real countries with their questions, from the facts of world-countries. Sentences
 * and styles are those of the invented world; the same facts give the same files.
 */
import type { PassageTask, Split } from '../../src-shared/task.ts'
import { drawFrom } from '../nano/draw.ts'
import { sentence, writePassage } from '../nano/passages.ts'
import { realCountries, type RealCountry } from './countries.ts'

const seed = 20261122
const sizes: Readonly<Record<Split, number>> = { train: 60, validation: 20, test: 60 }

const about = {
  name: 'atlas',
  description: 'Countries of the world: short passages, and questions about each of their facts.',
  source: 'world-countries 5.1.0 (https://github.com/mledoze/countries)',
  licence: 'ODbL-1.0 (https://opendatacommons.org/licenses/odbl/1-0/)',
}

export function atlasSplits(): Record<Split, PassageTask[]> {
  const tasks = drawFrom(seed, 'splits').shuffled(realCountries()).map(atlasTask)
  let from = 0
  const take = (count: number): PassageTask[] => tasks.slice(from, (from += count))
  return { train: take(sizes.train), validation: take(sizes.validation), test: take(sizes.test) }
}

/** File name → its text. */
export function atlasFiles(): Map<string, string> {
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
  const splits = Object.entries(atlasSplits()).map(
    ([split, tasks]) => [`${split}.json`, json(tasks)] as const,
  )
  return new Map([['taskset.json', json(about)], ...splits])
}

/** A question for each fact; the passage tells the facts in an order of its own. */
function atlasTask({ code, name, facts }: RealCountry): PassageTask {
  const draw = drawFrom(seed, 'passage', code)
  const ordered = draw.shuffled(facts)
  const passage = writePassage(draw, { name, facts: ordered }, draw.one(['entry', 'statements'] as const))
  const questions = facts.map((fact) => ({
    id: `${code}-${fact.attribute}`,
    question: sentence(draw, name, fact, 'questions'),
    referenceAnswer: fact.value,
    aliases: fact.aliases,
  }))
  return { id: code, title: name, passage, questions }
}
