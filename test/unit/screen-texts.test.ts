/** What the page makes of numbers, rows and texts before they are shown, exported or copied. */
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { headlineOf } from '../../src-renderer/components/home/headline.ts'
import { toCsv } from '../../src-renderer/components/shared/csv-text.ts'
import * as format from '../../src-renderer/components/shared/format.ts'
import { shellQuote } from '../../src-renderer/components/shared/shell-quote.ts'
import { sortRows } from '../../src-renderer/components/shared/table-column.ts'
import { visibleText } from '../../src-renderer/components/shared/visible-text.ts'

test('shares have one decimal, differences a sign, and what was not measured says so', () => {
  expect([format.percent(0.6349), format.percent(null), format.points(0.0312), format.points(-0.2)]).toEqual([
    '63.5 %',
    'not measured',
    '+3.1',
    '−20.0',
  ])
  expect([format.points(-0.0001), format.decimal(-1.5), format.decimal(null)]).toEqual(['±0.0', '−1.50', '–'])
})

test('sizes and spans come in the unit that says enough', () => {
  expect([0, 999, 1500, 1_990_000, 213e6, 1.2e12, 5e15].map(format.bytes)).toEqual([
    '0 B',
    '999 B',
    '2 kB',
    '2.0 MB',
    '213 MB',
    '1.2 TB',
    '5000 TB',
  ])
  expect([0.42, 45, 59.7, 3600, 11_100].map(format.duration)).toEqual([
    '0.4 s',
    '45 s',
    '1 min',
    '1 h 0 min',
    '3 h 5 min',
  ])
  expect([1_015_000, 35.6e6, 7.24e9].map(format.parameters)).toEqual(['1.0 M', '36 M', '7.2 B'])
})

test('how long ago is said in words, after a week by the date', () => {
  const now = Date.UTC(2026, 4, 20, 12)
  const hour = 3_600_000
  expect(
    [now - 5_000, now - 90_000, now - 2 * hour, now - 25 * hour, now - 240 * hour].map((at) =>
      format.ago(at, now),
    ),
  ).toEqual(['just now', '1 min ago', '2 h ago', '1 day ago', '10 May 2026'])
})

test('CSV quotes what needs it, and no cell becomes a formula', () => {
  expect(
    toCsv([
      ['a,b', 'say "hi"', 'two\nlines'],
      [1.5, null, -2],
      ['=1+1', '-2', '@x'],
    ]),
  ).toBe('"a,b","say ""hi""","two\nlines"\r\n1.5,,-2\r\n\'=1+1,-2,\'@x\r\n')
})

test('any text survives a POSIX shell', () => {
  const noNull = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'))
  const words = [...fc.sample(noNull, 60), "it's", '$(id)', '`id`', '', ' ', '-n', 'a\\b', '!x', 'a\nb']
  const echoed = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${words.map(shellQuote).join(' ')}`], {
    encoding: 'utf8',
  })
  expect(echoed.split('\0').slice(0, -1)).toEqual(words)
})

test('hidden and reordering characters are shown, ordinary text stays as it is', () => {
  expect(visibleText('a\0b\u001b[31m\u202egnp\u200b\u007f\u0085\ud800!')).toBe(
    'a⟨U+0000⟩b⟨U+001B⟩[31m⟨U+202E⟩gnp⟨U+200B⟩⟨U+007F⟩⟨U+0085⟩⟨U+D800⟩!',
  )
  const plain = 'Ténèbres\tمرحبا\n👩‍👩‍👧 می‌خواهم 漢字'
  expect(visibleText(plain)).toBe(plain)
})

test('rows are sorted by value or text, and what has none comes last either way', () => {
  const column = { id: 'n', header: 'n', text: String, value: (row: number | null) => row }
  expect(sortRows([3, null, 10, 1], column, 'ascending')).toEqual([1, 3, 10, null])
  expect(sortRows([3, null, 10, 1], column, 'descending')).toEqual([10, 3, 1, null])
  expect(sortRows(['r10', 'r9'], { id: 't', header: 't', text: String }, 'ascending')).toEqual(['r9', 'r10'])
})

test('a run’s headline is the policy that learned last beside the untrained one', () => {
  const arm = (name: string) => ({
    ...{ name, n: 7, passages: 1, accuracy: 0.5, low: 0.4, high: 0.6, emptyAnswers: 0, ungraded: 0 },
  })
  const names = (...arms: readonly string[]) => {
    const { before, after } = headlineOf(arms.map(arm))
    return [before?.name, after?.name]
  }
  expect(names('frozen', 'policy-10', 'policy-0', 'policy-2', 'passage-in-prompt')).toEqual([
    'policy-0',
    'policy-10',
  ])
  expect(names('frozen', 'policy-0')).toEqual(['frozen', 'policy-0'])
  expect(names()).toEqual([undefined, undefined])
})
