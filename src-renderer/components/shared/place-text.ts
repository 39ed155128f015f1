/** What a run is at, as its progress says it, in the words that the screens have for arms. */
import { armTitle } from '../../../src-shared/run-summary.ts'

/** 'policy-0: Peru' and 'policy-0' name an arm, 'train: Peru' a passage of the present round; other texts stay. */
export function placeText(text: string): string {
  const [, arm, rest] = /^([^:]+)(: .*)?$/s.exec(text) ?? []
  if (arm === undefined) return text
  return arm === 'train' && rest !== undefined ? rest.slice(2) : armTitle(arm) + (rest ?? '')
}
