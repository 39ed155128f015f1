import fc from 'fast-check'
import { expect, test } from 'vitest'
import { diagnosticsText, redact } from '../../src-shared/diagnostics.ts'

test('a home folder becomes ~, and its owner’s name goes wherever it stands as a word', () => {
  expect(redact('/home/jane.doe/.local/share/selkie, owner jane.doe, host JANE.DOE-pc, jane.doer')).toBe(
    '~/.local/share/selkie, owner (name), host (name)-pc, jane.doer',
  )
  expect(redact('/Users/ann/Library and /root/store, but not /rootfs or /home')).toBe(
    '~/Library and ~/store, but not /rootfs or /home',
  )
})

test('Windows folders are recognised with one backslash and as JSON writes them', () => {
  expect(redact('C:\\Users\\Jane Doe\\AppData; by Jane Doe')).toBe('~\\AppData; by (name)')
  expect(redact(JSON.stringify({ path: 'C:\\Users\\Jane Doe\\AppData' }))).toBe('{"path":"~\\\\AppData"}')
})

test('keys, addresses and hashes are taken out', () => {
  const token = 'hf_AbCdEfGhIjKlMnOpQrStUv'
  const lines = {
    [`HF_TOKEN=${token}`]: 'HF_TOKEN=(key)',
    [`using ${token} now`]: 'using (key) now',
    'Authorization: Bearer abc.def': 'Authorization: Bearer (key)',
    '"apiKey": "s3cret"': '"apiKey": "(key)"',
    'https://user:pass@proxy.corp.example:8080/v1': 'https://(host)/v1',
    'http://127.0.0.1:4711/session': 'http://127.0.0.1:4711/session',
    'at 192.168.0.17, mail jane@corp.example': 'at (address), mail (address)',
    'token dGhpcyBpcyBhIHRva2VuIDEyMzQ1Njc4OTAxMjM0NTY': 'token (key)',
    [`sha256 ${'0a'.repeat(32)}`]: 'sha256 (hash)',
    'llama.cpp 3.21.1, qwen2.5-0.5b-instruct-q8_0-imatrix-fixed.gguf':
      'llama.cpp 3.21.1, qwen2.5-0.5b-instruct-q8_0-imatrix-fixed.gguf',
  }
  expect(Object.keys(lines).map((line) => redact(line))).toEqual(Object.values(lines))
})

test('names that only the caller knows are taken out, the longer first', () => {
  expect(redact('lab-7.local is lab-7', ['lab-7', 'lab-7.local', ''])).toBe('(name) is (name)')
})

test('no owner of a home folder survives, whatever the name', () => {
  const name = fc.stringMatching(/^[\p{L}][\p{L}\p{N}_.-]{2,20}$/u)
  fc.assert(
    fc.property(name, fc.constantFrom('/home/', '/Users/', 'C:\\Users\\'), (owner, folder) => {
      const separator = folder.endsWith('\\') ? '\\' : '/'
      const text = diagnosticsText({
        path: `${folder}${owner}${separator}x`,
        message: `no room for ${owner}`,
      })
      expect(JSON.parse(text.slice(text.indexOf('\n')))).toEqual({
        path: `~${separator}x`,
        message: 'no room for (name)',
      })
    }),
  )
})
