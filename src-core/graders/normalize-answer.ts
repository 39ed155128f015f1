/** The form in which answers are compared: the rule of SQuAD's evaluation, made fit for more than English text. */

/**
 * Lower case, no punctuation, no articles (a, an, the), single spaces: as SQuAD's evaluation script has it. Different
 * from there:
 * - Compatibility forms are unified (NFKD) and accents (U+0300 to U+036F) and invisible characters dropped:
 *   "Café" is "cafe", "ﬁ" is "fi".
 * - Punctuation and symbols, of any script, become spaces: "twenty-one" is "twenty one", but "U.S." is "u s".
 * - Commas between groups of three digits vanish: "1,234" is "1234".
 * - If nothing would be left, articles stay ("A"), and then punctuation does ("+"), so that no two such answers equal.
 *
 * As there, signs and units written as symbols do not count: "-5" is "5" is "$5". Idempotent.
 */
export function normalizeAnswer(answer: string): string {
  const folded = answer
    .normalize('NFKD')
    .replace(/[\u0300-\u036f\p{Cf}]/gu, '')
    .toLowerCase()
  const words = wordsOf(
    folded.replace(/(?<![\d.,])\d{1,3}(?:,\d{3})+(?!,?\d)/g, (number) => number.replaceAll(',', '')),
  )
  if (words.length === 0) return folded.trim().replace(/\s+/g, ' ')
  const content = words.filter((word) => !articles.has(word))
  return (content.length > 0 ? content : words).join(' ')
}

const articles = new Set(['a', 'an', 'the'])

function wordsOf(text: string): string[] {
  return text
    .replace(/[\p{P}\p{S}\p{Cc}]/gu, ' ')
    .split(/\s+/)
    .filter(Boolean)
}
