/** The words that the invented world must not use: those of real names, but for words that name nothing by themselves. */
import { wordsOfRealNames } from './countries.ts'

const general = [
  'a and the of in new old port saint great upper lower middle central city republic kingdom state states united',
  'south north east west southern northern eastern western islands island people',
]

/** Lower case. */
export const realWords: ReadonlySet<string> = realNamesOnly()

function realNamesOnly(): Set<string> {
  const words = wordsOfRealNames()
  for (const word of general.join(' ').split(' ')) words.delete(word)
  return words
}
