/** What is told about a grammar before llama.cpp sees it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { checkGrammar } from '../../src-compute/generator/grammar-check.ts'

const lines = (...each: string[]): string => each.join('\n')
const nested = (depth: number): string => `root ::= ${'('.repeat(depth)}"a"${')'.repeat(depth)}`
const chain = (length: number, use = (name: string): string => name): string =>
  lines(
    'root ::= r0',
    ...Array.from({ length }, (_, index) => `r${index} ::= ${use(`r${index + 1}`)}`),
    `r${length} ::= "a"`,
  )

const right: Readonly<Record<string, string>> = {
  'every kind of item': String.raw`root ::= ("a" | [b-d] | [^\x41\u00e9\U0001F600-] | . | other)* "\"\\\n"
other ::= [+-]? "1" {2} "2"{2,} "3" { 2 , 5 } # as often as that`,
  'a group over several lines': lines('# first', 'root ::= (', '  "a" | # one', '  "b"', ')+', ''),
  'alternatives that go on after a bar': lines('root ::= "a" |', '  "b"'),
  'carriage returns': 'root ::= a\r\na ::= "b"\r\n',
  'nothing at all as the text': 'root ::= ""',
  'a rule that repeats at its end': lines('root ::= item root | item', 'item ::= "a"? "b"'),
  'a repetition of what may be empty': 'root ::= ("a"? "b"?)* "c"',
  'a rule that is nowhere used': lines('root ::= "a"', 'other ::= "b"'),
  'a hundred groups in each other': nested(100),
  'a chain of hundreds of rules': chain(900),
  'a row of a grid': 'root ::= "[" cell (" " cell){0,29} "]"\ncell ::= [0-9]',
}
for (const [what, grammar] of Object.entries(right)) {
  test(`${what} is right`, () => expect(() => checkGrammar(grammar)).not.toThrow())
}

const examples = fileURLToPath(new URL('../../node_modules/node-llama-cpp/llama/grammars', import.meta.url))
for (const name of readdirSync(examples).filter((each) => each.endsWith('.gbnf'))) {
  test(`the example ${name} of llama.cpp is right`, () =>
    expect(() => checkGrammar(readFileSync(join(examples, name), 'utf8'))).not.toThrow())
}

const wrong: readonly [what: string, grammar: string, reason: RegExp][] = [
  ['an empty grammar', '', /no rule "root"/],
  ['a comment only', '# root ::= "a"', /no rule "root"/],
  ['another root', 'start ::= "a"', /no rule "root"/],
  ['a rule that is not there', lines('root ::= "a"', '', 'b ::= "b" (absent | "c")'), /line 3: .*"absent"/],
  ['a rule defined twice', lines('root ::= "a"', 'root ::= "b"'), /line 2: "root" is defined twice/],
  ['a sentence', 'Please answer in JSON.', /line 1: "::=" must follow/],
  ['a brace', '{"type":"object"}', /line 1: a rule must begin/],
  ['an open text', 'root ::= "a', /line 1: " is missing/],
  ['an open class', lines('root ::= b', 'b ::= [a-'), /line 2: \] is missing/],
  ['an open group', 'root ::= ("a"', /line 1: "\)" is missing/],
  ['a group that closes twice', 'root ::= ("a"))', /line 1: "\)" is not expected/],
  ['an unknown escape', String.raw`root ::= "\d"`, /no such escape/],
  ['a short escape', String.raw`root ::= "\u12"`, /no such escape/],
  ['a rule without a line of its own', 'root ::= "a" other ::= "b"', /line 1: ":" is not expected/],
  ['a reference to a token', 'root ::= <|end|>', /tokens are not supported/],
  ['a forbidden token', 'root ::= !<[7]>', /tokens are not supported/],
  ['a name with an underscore', 'root ::= my_rule', /"_" is not expected/],
  ['a null character', 'root ::= "\0"', /null/],
  ['half a character', 'root ::= "\ud83d"', /half a character/],
  ['a rule that begins with itself', 'root ::= root "a" | "b"', /"root" begins with itself/],
  [
    'rules that begin with each other',
    lines('root ::= a', 'a ::= b "x"', 'b ::= a | "y"'),
    /begins with itself/,
  ],
  [
    'a rule that begins with itself after nothing',
    lines('root ::= a root "x" | "y"', 'a ::= e', 'e ::= ""'),
    /"root" begins with itself/,
  ],
  [
    'a rule that begins with itself after what may be missing',
    'root ::= ("a"? | "b"*){0,3} root "x" | "y"',
    /"root" begins with itself/,
  ],
  ['a negative repetition', 'root ::= "a"{3,2}', /ends below where it begins/],
  ['a huge repetition', 'root ::= "a"{99999999999999999999}', /must stay below/],
  ['a repetition of a repetition', 'root ::= "a"**', /one repetition follows another/],
  ['a repetition in words', 'root ::= "a"{many}', /a repetition is written/],
  ['a bomb of repetitions', `root ::= "${'a'.repeat(1000)}"{1999}`, /too large/],
  ['ten thousand groups in each other', nested(10_000), /groups in each other/],
  ['a chain of ten thousand rules', chain(10_000), /too many beginnings/],
  ['rules with 2^60 beginnings', chain(60, (next) => `${next} | ${next}`), /too many beginnings/],
  ['a megabyte', `root ::= "${'a'.repeat(1_000_000)}"`, /longer than/],
]
for (const [what, grammar, reason] of wrong) {
  test(`${what} is refused with a reason`, () => {
    const started = performance.now()
    expect(() => checkGrammar(grammar)).toThrow(
      expect.objectContaining({ code: 'invalid_input', message: expect.stringMatching(reason) }),
    )
    expect(performance.now() - started).toBeLessThan(2000)
  })
}
