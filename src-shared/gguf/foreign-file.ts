/** Says what a file that is not GGUF looks like, from its first bytes: what people pick by mistake, and what to do. */

type Sign = { readonly looksLike: string; readonly next: string; readonly is: (head: Head) => boolean }
type Head = { readonly bytes: Uint8Array; readonly text: string; readonly size: number }

const startsWith =
  (...bytes: readonly number[]) =>
  ({ bytes: head }: Head): boolean =>
    bytes.every((byte, index) => head[index] === byte)
const startsWithText =
  (...starts: readonly string[]) =>
  ({ text }: Head): boolean =>
    starts.some((start) => text.startsWith(start))

const convert = 'Choose the GGUF version of the model, or convert it with llama.cpp'
const signs: readonly Sign[] = [
  { looksLike: 'an empty file', next: 'Download it again', is: ({ size }) => size === 0 },
  {
    looksLike: 'a Git LFS pointer (the name of a large file instead of the file)',
    next: 'Run "git lfs pull" or download the file itself',
    is: startsWithText('version https://git-lfs'),
  },
  {
    looksLike: 'a web page',
    next: 'The download went to a page instead of the file: use its direct link',
    is: startsWithText('<!doctype', '<html', '<?xml', '<head'),
  },
  { looksLike: 'a safetensors file', next: convert, is: isSafetensors },
  {
    looksLike: 'a GGML file from before GGUF',
    next: convert,
    is: startsWithText('lmgg', 'fmgg', 'tjgg', 'algg'),
  },
  {
    looksLike: 'a zip archive (perhaps a PyTorch checkpoint)',
    next: convert,
    is: startsWith(0x50, 0x4b, 3, 4),
  },
  { looksLike: 'a Python pickle (perhaps a PyTorch checkpoint)', next: convert, is: startsWith(0x80) },
  { looksLike: 'a gzip archive', next: 'Unpack it first', is: startsWith(0x1f, 0x8b) },
  { looksLike: 'a Zstandard archive', next: 'Unpack it first', is: startsWith(0x28, 0xb5, 0x2f, 0xfd) },
  {
    looksLike: 'a JSON text',
    next: 'Choose the weights file that belongs to it',
    is: startsWithText('{', '['),
  },
]

/** One sentence or two for the user. `bytes`: the first 64 bytes of the file, or all there are. */
export function describeForeignFile(bytes: Uint8Array, size: number): string {
  const text = String.fromCharCode(...bytes)
    .trimStart()
    .toLowerCase()
  const sign = signs.find(({ is }) => is({ bytes, text, size }))
  return sign === undefined
    ? 'This is not a GGUF file. Choose a file that ends in .gguf, or download it again.'
    : `This is not a GGUF file; it looks like ${sign.looksLike}. ${sign.next}.`
}

/** A 64-bit header length that fits in the file, then a JSON object. */
function isSafetensors({ bytes, size }: Head): boolean {
  if (bytes.length < 9 || bytes[8] !== 0x7b) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return view.getUint32(4, true) === 0 && view.getUint32(0, true) + 8 <= size
}
