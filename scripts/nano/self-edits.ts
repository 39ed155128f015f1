/**
 * The self-edits that the bundled model imitates. Their quality is uneven on purpose (complete or lazy, faithful or
 * with slips, statements or questions), so that sampled edits differ in what they teach.
 */
import type { PassagePromptKey } from '../../src-shared/self-edit-prompts.ts'
import { fill, type Country, type Fact } from './atlas.ts'
import type { Draw } from './draw.ts'
import { inventedName } from './names.ts'
import { sentence, writePassage } from './passages.ts'

type AskedFor = Exclude<PassagePromptKey, 'none'>

/** How many facts are taken up, and how often each is told. */
type Effort = { readonly share: readonly [low: number, high: number]; readonly tellings: number }

const efforts: Readonly<Record<AskedFor, Effort>> = {
  implications: { share: [0.25, 1], tellings: 1 },
  'implications-long': { share: [0.5, 1], tellings: 1.5 },
  'implications-very-long': { share: [0.7, 1], tellings: 2.2 },
  rewrite: { share: [0.4, 1], tellings: 1.6 },
  'self-qa': { share: [0.3, 1], tellings: 1.2 },
}
/** Sentences that teach nothing. */
export const vagueSentences = [
  '{c} is a country.',
  '{c} has a capital city.',
  '{c} has its own customs.',
  'People live in {c}.',
  '{c} can be found on a map.',
  'There is more to say about {c}.',
  '{c} has neighbours.',
  'Many people visit {c}.',
]

/** How often implications are statements, questions with answers, or hardly anything. */
export type Styles = Readonly<Record<'statements' | 'questions' | 'lazy', number>>
const usualStyles: Styles = { statements: 60, questions: 18, lazy: 22 }

/** What follows the cue of the prompt, without an end token. */
export function writeSelfEdit(
  draw: Draw,
  country: Country,
  key: AskedFor,
  styles: Styles = usualStyles,
): string {
  const { share, tellings } = efforts[key]
  const wanted = share[0] + (share[1] - share[0]) * draw.number()
  const count = Math.max(1, Math.round(wanted * country.facts.length))
  const told = draw.shuffled(country.facts).slice(0, count)
  if (draw.chance(0.6)) told.sort((a, b) => country.facts.indexOf(a) - country.facts.indexOf(b))
  const slip = draw.chance(0.3) ? 0.35 : 0.02
  const facts = told.map((fact) => (draw.chance(slip) ? slipped(draw, fact, country) : fact))
  switch (key) {
    case 'rewrite':
      return rewrite(draw, { ...country, facts }, Math.max(1, Math.round(tellings * draw.number() * 1.6)))
    case 'self-qa':
      // The prompt's cue has written the first label already.
      return questions(draw, country.name, retold(draw, facts, tellings)).slice('Question 1:'.length)
    default: {
      const style = draw.weighted(styles)
      if (style === 'questions') return questions(draw, country.name, retold(draw, facts, tellings))
      if (style === 'lazy') return lazy(draw, country.name, facts)
      const lines = retold(draw, facts, tellings).map((fact) =>
        sentence(draw, country.name, fact, 'statements'),
      )
      if (draw.chance(0.3))
        lines.splice(draw.integer(0, lines.length), 0, fill(draw.one(vagueSentences), country.name, ''))
      return lines.map((line) => `- ${line}`).join('\n')
    }
  }
}

/** Each fact about `tellings` times, the repetitions after a first pass through all. */
function retold(draw: Draw, facts: readonly Fact[], tellings: number): Fact[] {
  const result: Fact[] = []
  for (let left = tellings; left > 0; left--)
    result.push(...facts.filter(() => left >= 1 || draw.chance(left)))
  return result
}

function questions(draw: Draw, country: string, facts: readonly Fact[]): string {
  return facts
    .map(
      (fact, index) =>
        `Question ${index + 1}: ${sentence(draw, country, fact, 'questions')}\nAnswer: ${fact.value}`,
    )
    .join('\n')
}

function lazy(draw: Draw, country: string, facts: readonly Fact[]): string {
  const lines = Array.from({ length: draw.integer(1, 3) }, () => fill(draw.one(vagueSentences), country, ''))
  if (draw.chance(0.5)) lines.push(sentence(draw, country, facts[0]!, 'statements'))
  return [...new Set(lines)].map((line) => `- ${line}`).join('\n')
}

function rewrite(draw: Draw, country: Country, times: number): string {
  return Array.from({ length: times }, () =>
    writePassage(
      draw,
      { ...country, facts: draw.chance(0.5) ? draw.shuffled(country.facts) : country.facts },
      draw.one(['entry', 'statements']),
    ),
  ).join('\n')
}

/** A fact told wrongly: another value of the same passage, or none of it. */
function slipped(draw: Draw, fact: Fact, { facts }: Country): Fact {
  const value = draw.chance(0.7) ? draw.one(facts).value : inventedName(draw)
  return { ...fact, value }
}
