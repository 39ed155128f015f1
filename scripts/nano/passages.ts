/** Writes passages about a country, of the invented world or the real one, in several styles. */
import { attributes, fill, type Country, type Fact } from './atlas.ts'
import type { Draw } from './draw.ts'

export const passageStyles = ['entry', 'statements', 'notes'] as const
export type PassageStyle = (typeof passageStyles)[number]

/**
 * `entry` leans its sentences on the first, as an encyclopaedia does; `statements` names the country each time;
 * `notes` is a list of labels. The facts come in the order given.
 */
export function writePassage(draw: Draw, { name, facts }: Country, style: PassageStyle): string {
  if (style === 'notes')
    return facts.map(({ attribute, value }) => `${attributes[attribute].label}: ${value}.`).join(' ')
  const sentences = facts.map((fact, index) => {
    const leans = style === 'entry' && index > 0 && draw.chance(0.8)
    return sentence(draw, name, fact, leans ? 'followUps' : 'statements')
  })
  return sentences.join(' ')
}

export function sentence(
  draw: Draw,
  country: string,
  { attribute, value }: Fact,
  kind: 'statements' | 'followUps' | 'questions',
): string {
  return fill(draw.one<string>(attributes[attribute][kind]), country, value)
}
