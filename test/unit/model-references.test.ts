/** What people type for a model that is elsewhere, and the names that come of it: never a path out of the folder. */
import fc from 'fast-check'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { checkModelName, modelNameOf, nearNames } from '../../src-core/models/names.ts'
import { hubFrom, parseReference } from '../../src-core/models/references.ts'

const hub = hubFrom({})
const parse = (reference: string) => {
  const { url, name, page } = parseReference(reference, hub)
  return [url.href, name, page]
}

test('a file on the hub has a URL, a name and a page', () => {
  expect(parse('hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q8_0.gguf')).toEqual([
    'https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF/resolve/main/qwen2.5-0.5b-instruct-q8_0.gguf',
    'qwen2.5-0.5b-instruct-q8_0',
    'https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF',
  ])
  expect(parse('hf:o/r/Q8 0/big#1.GGUF@refs/pr/7')).toEqual([
    'https://huggingface.co/o/r/resolve/refs%2Fpr%2F7/Q8%200/big%231.GGUF',
    'big-1',
    'https://huggingface.co/o/r',
  ])
})

test('another hub and its token come from the environment', () => {
  const mirror = hubFrom({ HF_ENDPOINT: 'https://mirror.example/hf/', HF_TOKEN: 'hf_abc\n' })
  expect(mirror.token).toBe('hf_abc')
  expect(parseReference('hf:o/r/f.gguf', mirror).url.href).toBe(
    'https://mirror.example/hf/o/r/resolve/main/f.gguf',
  )
  expect(hubFrom({ HF_ENDPOINT: '', HF_TOKEN: '' })).toEqual(hub)
  expect(() => hubFrom({ HF_ENDPOINT: 'mirror' })).toThrow('HF_ENDPOINT is "mirror"')
  expect(() => hubFrom({ HF_TOKEN: 'hf_a\nb' })).toThrow(/^((?!hf_a).)*$/)
})

test.each([
  'hf:',
  'hf:owner/repo',
  'hf:owner/repo/',
  'hf:../repo/file.gguf',
  'hf:owner/../file.gguf',
  'hf:owner/repo/../../x.gguf',
  'hf:owner/repo//x.gguf',
  'hf:owner/repo/x.gguf@..',
  'hf:owner/repo/x.gguf@../../y',
  'ftp://example.org/x.gguf',
  'file:///etc/passwd',
  'https://me:secret@example.org/x.gguf',
  '/home/me/x.gguf',
  'x',
])('%s is refused', (reference) => {
  expect(() => parseReference(reference, hub)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
})

test.each([
  ['https://example.org/a/..%2f..%2fetc%2fpasswd', 'passwd'],
  ['https://example.org/..%5c..%5cwindows%5cx.gguf', 'x'],
  ['https://example.org/a%zz.gguf?download=true#top', 'a-zz'],
  ['https://example.org/.hidden.gguf', 'hidden'],
  ['https://example.org/', 'model'],
  ['https://example.org/NUL.gguf', 'model'],
])('the name of %s is %s', (reference, name) => {
  expect(parse(reference)[1]).toBe(name)
})

test('whatever a link holds, the name is a name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const name = modelNameOf(text)
      expect(checkModelName(name)).toBe(name)
      expect(basename(join('/store', `${name}.gguf`))).toBe(`${name}.gguf`)
    }),
    { numRuns: 2000 },
  )
})

test.each(['', '.', '..', '../x', 'a/b', 'a\\b', '-x', 'con', 'LPT1.v2', 'a b', 'x'.repeat(101), 'x.'])(
  '"%s" is no name for a model',
  (name) => {
    expect(() => checkModelName(name)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  },
)

test('a mistyped name is recognised', () => {
  const names = ['selkie-nano', 'demo', 'qwen2.5-0.5b-instruct-q8_0']
  expect(nearNames('selky-nano', names)).toEqual(['selkie-nano'])
  expect(nearNames('QWEN2.5', names)).toEqual(['qwen2.5-0.5b-instruct-q8_0'])
  expect(nearNames('memo', names)).toEqual(['demo'])
  expect(nearNames('mistral-7b', names)).toEqual([])
})
