/**
 * Which words of a self-edit stand in its passage, and where. This compares texts, not meanings: a sentence made of the
 * passage's words may be false, and a true one may use others. Function words are known for English only; elsewhere
 * only words of one letter count as such.
 */

/** UTF-16 offsets; `end` is not included. */
export type Span = { readonly start: number; readonly end: number }
export type GroundedSegment = Span & { readonly passageSpans: readonly Span[] } // 1 to 20, in order
export type UnsupportedKind = 'number' | 'name' | 'word'
export type UnsupportedSpan = Span & { readonly kind: UnsupportedKind }

export type Grounding = {
  /** Longest stretches of a line that stand in the passage word by word, each with a word of content; in order. */
  readonly segments: readonly GroundedSegment[]
  readonly unsupported: readonly UnsupportedSpan[] // words of content that stand nowhere in the passage; in order
  readonly contentWords: number // of the self-edit, supported or not
  readonly isCut: boolean // a text is longer than `groundingLimit`; the rest of it was not looked at
}

/** A stretch of either text, to be shown. `links` are indices of the grounded segments that stand there. */
export type Piece = Span & { readonly links: readonly number[]; readonly unsupported: UnsupportedKind | null }

/** UTF-16 units of each text that are looked at. */
export const groundingLimit = 1_000_000

const mostPlaces = 20 // of a segment that are kept
const mostStarts = 100 // where a segment may begin that are tried: what keeps repetitive texts from taking forever

const functionWords = new Set(
  `about above after again against all along also although am an and another any are around as at be because been
  before being below between both but by can cannot could did do does doing don't down during each either else
  every few for from further had has have having he her here hers herself him himself his how however if in into is
  isn't it its itself just less many may me might mine more most much must my myself neither no nor not now of off on
  once one only or other others our ours out over own per same shall she should since so some such than that the
  their theirs them themselves then there therefore these they this those though through thus to too under until
  up upon us very was we were what when where whether which while who whom whose why will with within without would
  yet you your yours`.split(/\s+/),
)

/** Looks at the first `groundingLimit` characters of each. Time grows with their length, whatever they hold. */
export function groundSelfEdit(selfEdit: string, passage: string): Grounding {
  const isCut = Math.max(selfEdit.length, passage.length) > groundingLimit
  const numbers = new Map<string, number>()
  const places = wordsOf(passage.slice(0, groundingLimit), numbers)
  const words = withoutMarkers(selfEdit.slice(0, groundingLimit), numbers)
  const wanted = { ids: idsOf(words), lineEnds: lineEndsOf(words) }
  const found = { ids: idsOf(places), starts: startsOf(places) }
  const segments: GroundedSegment[] = []
  const unsupported: UnsupportedSpan[] = []
  for (let index = 0; index < words.length;) {
    const word = words[index]!
    const { length, at } = longestMatch(wanted, index, found)
    if (words.slice(index, index + length).some(({ isContent }) => isContent)) {
      const passageSpans = at.map((place) => spanOf(places, place, length))
      segments.push({ ...spanOf(words, index, length), passageSpans })
    } else if (length === 0 && word.isContent) {
      unsupported.push({ start: word.start, end: word.end, kind: kindOf(word) })
    }
    index += Math.max(1, length)
  }
  return { segments, unsupported, contentWords: words.filter(({ isContent }) => isContent).length, isCut }
}

type Word = Span & {
  readonly text: string
  readonly id: number // equal for words that count as the same
  readonly isContent: boolean
  readonly startsLine: boolean
  readonly startsSentence: boolean
}

const segmenter = new Intl.Segmenter('und', { granularity: 'word' })

/** `numbers` gives each word that counts as another one its id, in all texts that share it. */
function wordsOf(text: string, numbers: Map<string, number>): Word[] {
  const words: Word[] = []
  const known = new Map<string, Pick<Word, 'id' | 'isContent'>>()
  let startsLine = true
  let startsSentence = true
  for (const { segment, index, isWordLike } of segmenter.segment(text)) {
    if (!isWordLike) {
      startsLine ||= /[\n\r\u2028\u2029]/.test(segment)
      startsSentence ||= startsLine || /[.!?:;。！？"“«(]/.test(segment)
      continue
    }
    let read = known.get(segment)
    if (!read) {
      const key = keyOf(segment)
      const id = numbers.get(key) ?? numbers.size
      numbers.set(key, id)
      read = { id, isContent: isContent(key) }
      known.set(segment, read)
    }
    const { id, isContent: hasContent } = read
    const end = index + segment.length
    words.push({ start: index, end, text: segment, id, isContent: hasContent, startsLine, startsSentence })
    startsLine = false
    startsSentence = false
  }
  return words
}

/** Compatible characters, cases, invisible marks, a possessive s and the commas of thousands make no difference. */
function keyOf(word: string): string {
  const plain = word
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .toUpperCase()
    .toLowerCase()
    .replaceAll('’', "'")
  return plain.replace(/'s$/, '').replace(/(?<=\d)[,'](?=\d{3}(?!\d))/g, '')
}

function isContent(key: string): boolean {
  const isLetter = /^(?:[^\p{N}\p{Script=Han}\p{Script=Hangul}]\p{M}*)?$/u.test(key)
  return !isLetter && !functionWords.has(key)
}

/** The words without what numbers a list or announces a question and its answer: these are form, not content. */
function withoutMarkers(selfEdit: string, numbers: Map<string, number>): Word[] {
  const markers = [
    ...selfEdit.matchAll(/^[ \t]*(?:\d+[.)](?=\s)|(?:question[ \t]*\d*|answer)[ \t]*:)/gim),
  ].map(({ index, 0: marker }) => ({ start: index, end: index + marker.length }))
  let next = 0
  let startsLine = false
  return wordsOf(selfEdit, numbers).flatMap((word) => {
    while ((markers[next]?.end ?? Infinity) <= word.start) next++
    startsLine ||= word.startsLine
    if ((markers[next]?.start ?? Infinity) <= word.start) return []
    const kept = startsLine ? { ...word, startsLine, startsSentence: true } : word
    startsLine = false
    return [kept]
  })
}

const idsOf = (words: readonly Word[]): Int32Array => Int32Array.from(words, ({ id }) => id)

/** For each word, the index of the first one behind its line. */
function lineEndsOf(words: readonly Word[]): Int32Array {
  const ends = new Int32Array(words.length)
  let end = words.length
  for (let index = words.length - 1; index >= 0; index--) {
    ends[index] = end
    if (words[index]!.startsLine) end = index
  }
  return ends
}

/** Where each word stands, at most `mostStarts` places. */
function startsOf(places: readonly Word[]): Map<number, number[]> {
  const starts = new Map<number, number[]>()
  for (const [place, { id }] of places.entries()) {
    const known = starts.get(id)
    if (!known) starts.set(id, [place])
    else if (known.length < mostStarts) known.push(place)
  }
  return starts
}

type Wanted = { readonly ids: Int32Array; readonly lineEnds: Int32Array }
type Found = { readonly ids: Int32Array; readonly starts: ReadonlyMap<number, readonly number[]> }

/** The longest run of words from `index` on, within its line, that the passage has too, and its first places there. */
function longestMatch(
  { ids, lineEnds }: Wanted,
  index: number,
  passage: Found,
): { readonly length: number; readonly at: readonly number[] } {
  const most = lineEnds[index]! - index
  let length = 0
  let at: number[] = []
  for (const start of passage.starts.get(ids[index]!) ?? []) {
    let reach = 1
    while (reach < most && ids[index + reach] === passage.ids[start + reach]) reach++
    if (reach > length) {
      length = reach
      at = []
    }
    if (reach === length && at.length < mostPlaces) at.push(start)
  }
  return { length, at }
}

function spanOf(words: readonly Word[], from: number, length: number): Span {
  return { start: words[from]!.start, end: words[from + length - 1]!.end }
}

/** At the start of a sentence a capital says nothing, unless more of them follow. */
function kindOf({ text, startsSentence }: Word): UnsupportedKind {
  if (/\p{N}/u.test(text)) return 'number'
  return (startsSentence ? /.\p{Lu}/su : /\p{Lu}|^\p{Lt}/u).test(text) ? 'name' : 'word'
}

/** The whole self-edit in pieces. */
export function selfEditPieces(selfEdit: string, { segments, unsupported }: Grounding): Piece[] {
  const marked: Piece[] = [
    ...segments.map(({ start, end }, index) => ({ start, end, links: [index], unsupported: null })),
    ...unsupported.map(({ start, end, kind }) => ({ start, end, links: [], unsupported: kind })),
  ].sort((a, b) => a.start - b.start)
  const pieces: Piece[] = []
  let reached = 0
  for (const piece of marked) {
    if (piece.start > reached) pieces.push(plainPiece(reached, piece.start))
    pieces.push(piece)
    reached = piece.end
  }
  if (reached < selfEdit.length) pieces.push(plainPiece(reached, selfEdit.length))
  return pieces
}

/** The whole passage in pieces: a new one begins wherever a grounded segment begins or ends. */
export function passagePieces(passage: string, { segments }: Grounding): Piece[] {
  const changes = segments.flatMap(({ passageSpans }, link) =>
    passageSpans.flatMap(({ start, end }) => [
      { at: start, link, isStart: true },
      { at: end, link, isStart: false },
    ]),
  )
  changes.sort((a, b) => a.at - b.at)
  const open = new Map<number, number>() // link → its spans that cover the place: spans of one segment may overlap
  const pieces: Piece[] = []
  let reached = 0
  for (const { at, link, isStart } of [...changes, { at: passage.length, link: -1, isStart: true }]) {
    if (at > reached)
      pieces.push({ ...plainPiece(reached, at), links: [...open.keys()].sort((a, b) => a - b) })
    reached = at
    const covering = (open.get(link) ?? 0) + (isStart ? 1 : -1)
    if (covering === 0) open.delete(link)
    else open.set(link, covering)
  }
  return pieces
}

const plainPiece = (start: number, end: number): Piece => ({ start, end, links: [], unsupported: null })
