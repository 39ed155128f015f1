/** Finds a key that a JSON text gives twice in one object: JSON.parse would silently take the last. */

/** The first repeated key, or undefined. `text` must be valid JSON. */
export function findRepeatedKey(text: string): string | undefined {
  const open: (Set<string> | null)[] = [] // keys of the objects around, null for an array
  let expectsKey = false
  for (let at = 0; at < text.length; at++) {
    switch (text.charAt(at)) {
      case '{':
      case '[':
        expectsKey = text[at] === '{'
        open.push(expectsKey ? new Set() : null)
        break
      case '}':
      case ']':
        open.pop()
        expectsKey = false
        break
      case ',':
        expectsKey = open.at(-1) instanceof Set
        break
      case '"': {
        const start = at
        for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++
        if (!expectsKey) break
        const key = JSON.parse(text.slice(start, at + 1)) as string // sound: it is a string token
        const keys = open.at(-1)
        if (keys?.has(key)) return key
        keys?.add(key)
        expectsKey = false
        break
      }
    }
  }
  return undefined
}
