/** Makes characters visible that hide, reorder or forge text: what models write is shown as it is, not as it wants to look. */

// Controls but for tab and line feed; directions; zero width, but for the joiners that scripts and emoji need; separators.
const hidden =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs}/gu

/**
 * Each of them becomes its number, as in ⟨U+202E⟩: signs that depict them are missing from most fonts. What is longer
 * than `most` characters ends there, as names, titles and messages must that somebody else has written.
 */
export function visibleText(text: string, most = 2_000): string {
  const shown = text.length > most ? `${text.slice(0, most)}…` : text
  return shown.replace(hidden, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`
  })
}
