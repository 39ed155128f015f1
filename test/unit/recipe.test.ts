/** Recipes: what is read from a file, and what is said about one that is wrong. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadRecipe, recipeNames } from '../../src-core/recipes/load-recipe.ts'
import { parseRecipe } from '../../src-core/recipes/parse-recipe.ts'
import { AppError } from '../../src-shared/errors.ts'
import { nearestName } from '../../src-shared/nearest-name.ts'
import { camelCase, kebabCase, recipeFields } from '../../src-shared/recipe-fields.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const bundled = fileURLToPath(new URL('../../resources/recipes', import.meta.url))
const folder = temporaryFolder()

/** Names as many fields as there are; the fields of other graders and rules are left out. */
const complete = readFileSync(join(bundled, 'seal-qwen2.5-7b.toml'), 'utf8')

const smallest = `
name = "smallest"
description = "Only what has no default."
model = "selkie-nano"
reward = "gain"
taskset = { format = "bundled", path = "atlas" }
grader = { type = "exact" }
selection.rule = "above-baseline"
[self-edit]
prompts = ["rewrite"]
group-size = 2
max-tokens = 10
[inner-loop]
trials = 1
lora = { lora-rank = 4, lora-alpha = 8 }
optimizer = { learning-rate = 1e-3, epochs = 2 }
[outer-loop]
rounds = 0
tasks-per-round = 1
lora = { lora-rank = 4, lora-alpha = 8 }
optimizer = { learning-rate = 1e-3, epochs = 2 }
[evaluation]
split = "test"
tasks = 3
arms = ["frozen"]
`

/** The lines of the complaint, without the advice at the end. Throws if there is none. */
function complaints(text: string): string[] {
  return complaint(text).message.split('\n').slice(0, -1)
}

function complaint(text: string): AppError {
  try {
    parseRecipe(text, 'r.toml')
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
  throw new Error('The recipe was taken for right.')
}

// ------------------------------------------------------------------------------------------------ what is read

test('every bundled recipe can be read and is called like its file', async () => {
  const names = await recipeNames(bundled)
  expect(names).toEqual(expect.arrayContaining(['atlas', 'demo', 'seal-qwen2.5-7b']))
  for (const name of names) expect((await loadRecipe(name, bundled)).recipe.name).toBe(name)
})

test('every field of a bundled recipe has a comment, on its line or above', async () => {
  for (const name of await recipeNames(bundled)) {
    const lines = (await loadRecipe(name, bundled)).text.split('\n')
    const bare = lines.filter(
      (line, index) =>
        /^[a-z0-9-]+ = [^#]*$/.test(line) &&
        !lines[index - 1]?.startsWith('#') &&
        !/^(name|description) /.test(line),
    )
    expect([name, bare]).toEqual([name, []])
  }
})

test('recipes for other models say where to get them, and that nobody has measured them', async () => {
  for (const name of await recipeNames(bundled)) {
    const { text, recipe } = await loadRecipe(name, bundled)
    if (recipe.model.startsWith('selkie-nano')) continue
    expect(text).toMatch(/huggingface\.co/)
    expect(text).toMatch(/not measured with Selkie/)
  }
})

test('the recipe of the original has its settings', async () => {
  const { recipe } = await loadRecipe('seal-qwen2.5-7b', bundled)
  const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradientNorm: 1 }
  const linear = { schedule: 'linear', warmupSteps: 0, maxTokensPerMicroBatch: 2048, ...adam }
  const plain = { rsLora: false, dropout: 0 }
  expect(recipe.innerLoop).toEqual({
    trials: 3,
    splitNewlines: true,
    keepAdapters: 'selected',
    includePassage: true,
    sealFaithfulPadTo: 2048,
    lora: { loraRank: 32, loraAlpha: 64, targetModules: ['q', 'v'], ...plain },
    optimizer: { learningRate: 1e-3, epochs: 10, batchSize: 1, ...linear },
  })
  expect(recipe.outerLoop).toEqual({
    rounds: 2,
    tasksPerRound: 50,
    distinctTasks: true,
    lora: {
      loraRank: 64,
      loraAlpha: 128,
      targetModules: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
      ...plain,
    },
    optimizer: { learningRate: 3e-4, epochs: 2, batchSize: 10, ...linear },
  })
  expect(recipe.selfEdit).toEqual({
    prompts: ['implications'],
    groupSize: 5,
    temperature: 1,
    topP: 0.95,
    maxTokens: 8192,
    promptStyle: 'completion',
  })
  expect([recipe.reward, recipe.selection, recipe.evaluation.tasks, recipe.evaluation.samples]).toEqual([
    'accuracy',
    { rule: 'best-of-group' },
    200,
    1,
  ])
})

test('what has a good default may be left out', () => {
  const recipe = parseRecipe(smallest, 'r.toml')
  expect([recipe.seed, recipe.answers, recipe.compute]).toEqual([
    1,
    { maxTokens: 64 },
    { adaptersAtOnce: 1, pairs: 1, parallel: 16 },
  ])
  expect(recipe.innerLoop).toMatchObject({ splitNewlines: true, includePassage: true })
  expect(recipe.innerLoop).not.toHaveProperty('sealFaithfulPadTo')
  expect(recipe.innerLoop.lora.targetModules).toHaveLength(7)
})

test("a recipe's paths start from its own folder, names stay names", async () => {
  const file = join(folder, 'mine.toml')
  const judge = 'grader = { type = "judge", model-path = "sub/judge.gguf" }'
  const text = smallest
    .replace('grader = { type = "exact" }', judge)
    .replace('{ format = "bundled", path = "atlas" }', '{ format = "auto", path = "texts" }')
  writeFileSync(file, text.replace('selkie-nano', './models/base.gguf'))
  const { recipe } = await loadRecipe(file, bundled)
  expect([recipe.model, recipe.taskset.path, recipe.grader]).toEqual([
    join(folder, 'models/base.gguf'),
    join(folder, 'texts'),
    { type: 'judge', modelPath: join(folder, 'sub/judge.gguf') },
  ])
  writeFileSync(file, smallest)
  const own = await loadRecipe(file, bundled)
  expect([own.recipe.model, own.recipe.taskset.path]).toEqual(['selkie-nano', 'atlas'])
})

test('an unknown name is answered with the names there are', async () => {
  await expect(loadRecipe('atals', bundled)).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringMatching(/Did you mean "atlas"\? Choose from atlas, demo,/),
  })
  await expect(loadRecipe('./none.toml', bundled)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a file that is not UTF-8 is refused', async () => {
  const file = join(folder, 'latin.toml')
  writeFileSync(file, Buffer.from('name = "caf\xe9"', 'latin1'))
  await expect(loadRecipe(file, bundled)).rejects.toMatchObject({ code: 'invalid_input' })
})

// --------------------------------------------------------------------------------------------- what is complained of

test('a mistake in the TOML is named with its line and column', () => {
  const { code, message, data } = complaint('name = "x"\nseed = \n')
  expect([code, data]).toEqual(['invalid_input', { file: 'r.toml', line: 2, column: 8 }])
  expect(message).toMatch(/^r\.toml:2:8: not TOML: /)
})

test('everything that is wrong is said at once, in the order of the file', () => {
  const text = smallest
    .replace('group-size = 2', 'group-size = 0\ntrials = 2')
    .replace('["rewrite"]', '["rewrite", "implication"]')
    .replace('name = "smallest"', 'name = 5')
    .replace('reward = "gain"\n', '')
    .replace('{ type = "exact" }', '{ type = "exact", threshold = 0.5 }')
    .replace('rounds = 0', 'rounds = 0.5')
  expect(complaints(text)).toEqual([
    expect.stringMatching(
      /^r\.toml:1:1: reward is missing: one of "accuracy", "gain", "improvement", "solved"\. /,
    ),
    'r.toml:2:1: name must be a text, not 5.',
    'r.toml:6:28: grader.threshold is only for grader.type = "f1". Take it out.',
    'r.toml:9:23: item 2 of self-edit.prompts must be one of "implications", "implications-long", "implications-very-long", "rewrite", "self-qa", "none", "configuration", not the text "implication". Did you mean "implications"?',
    'r.toml:10:1: self-edit.group-size must be at least 1.',
    'r.toml:11:1: [self-edit] has no field "trials". It belongs in [inner-loop] or [evaluation].',
    'r.toml:18:1: outer-loop.rounds must be a whole number, at least 0, not 0.5.',
  ])
  expect(complaint(text).data).toMatchObject({
    file: 'r.toml',
    line: 1,
    column: 1,
    field: 'reward',
    problems: 7,
  })
})

test('a table that is missing is told by every field that it needs', () => {
  const text = smallest.slice(0, smallest.indexOf('[evaluation]'))
  expect(complaints(text).map((line) => line.split(' is missing')[0])).toEqual([
    'r.toml:1:1: evaluation.split',
    'r.toml:1:1: evaluation.tasks',
    'r.toml:1:1: evaluation.arms',
  ])
})

test.each([
  ['a judge without a place', 'grader = { type = "judge" }', '7:1: grader needs either an endpoint or a'],
  [
    'a key instead of the name of its variable',
    'grader = { type = "judge", endpoint = { url = "http://x/v1", model = "m", api-key-variable = "sk-12" } }',
    '7:75: grader.endpoint.api-key-variable must be the name of an environment variable, not the key itself.',
  ],
  [
    'an address that is none',
    'grader = { type = "judge", endpoint = { url = "ftp://x", model = "m" } }',
    '7:41: grader.endpoint.url must be a web address',
  ],
])('%s is refused', (_what, grader, expected) => {
  const text = smallest.replace('grader = { type = "exact" }', grader)
  expect(complaints(text)).toEqual([expect.stringContaining(`r.toml:${expected}`)])
})

test('splits are numbers or shares, not both', () => {
  const sized = (splits: string): string =>
    smallest.replace('path = "atlas"', `path = "a", splits = { ${splits} }`)
  for (const good of ['train = 60, validation = 0, test = 1', 'train = 0.7, validation = 0.2, test = 0.1'])
    expect(parseRecipe(sized(good), 'r.toml').taskset.splits).toBeDefined()
  for (const bad of ['train = 60, validation = 0.5, test = 1', 'train = 0.7, validation = 0.2, test = 0.2'])
    expect(complaints(sized(bad))).toEqual([
      expect.stringContaining('taskset.splits must be three whole numbers'),
    ])
})

test('a prompt that asks for nothing needs the passage to train on', () => {
  const text = smallest
    .replace('["rewrite"]', '["none"]')
    .replace('trials = 1', 'include-passage = false\ntrials = 1')
  expect(complaints(text)).toEqual([
    expect.stringMatching(/^r\.toml:14:1: inner-loop\.include-passage must be true/),
  ])
})

test('names as the code spells them are not names of a recipe', () => {
  expect(complaints(smallest.replace('group-size', 'groupSize'))).toEqual([
    'r.toml:11:1: [self-edit] has no field "groupSize". Did you mean "group-size"?',
  ])
})

// --------------------------------------------------------------------------------------------------- any misspelling

type Key = { readonly line: number; readonly name: string; readonly siblings: readonly string[] }

/** Every key of the complete recipe that stands at the start of a line. */
const keys: readonly Key[] = (() => {
  const paths = recipeFields().map(({ path }) => path)
  let table = ''
  return complete.split('\n').flatMap((text, index): Key[] => {
    table = /^\[(.+)\]$/.exec(text)?.[1] ?? table
    const name = /^([a-z0-9-]+) = /.exec(text)?.[1]
    if (name === undefined) return []
    const prefix = table === '' ? '' : `${table}.`
    const siblings = paths
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length).split('.')[0]!)
    return [{ line: index + 1, name, siblings }]
  })
})()

const letter = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-_ABC')

/** One slip of the finger. */
const slip = fc.record({ kind: fc.constantFrom('swap', 'drop', 'add', 'replace'), at: fc.nat(), letter })

function misspelt(
  name: string,
  { kind, at, letter: other }: { kind: string; at: number; letter: string },
): string {
  const place = at % name.length
  const [before, here, after] = [name.slice(0, place), name.charAt(place), name.slice(place + 1)]
  switch (kind) {
    case 'swap':
      return before + after.charAt(0) + here + after.slice(1)
    case 'drop':
      return before + after
    case 'add':
      return before + other + here + after
    default:
      return before + other + after
  }
}

test('a misspelt key is named with its line, and what was meant is suggested', () => {
  expect(keys.length).toBeGreaterThan(50)
  fc.assert(
    fc.property(fc.constantFrom(...keys), slip, ({ line, name, siblings }, how) => {
      const wrong = misspelt(name, how)
      fc.pre(wrong !== '' && !siblings.includes(wrong))
      const lines = complete.split('\n')
      lines[line - 1] = lines[line - 1]!.replace(name, wrong)
      const said = complaints(lines.join('\n'))
      const about = said.filter(
        (each) => each.startsWith(`r.toml:${line}:1: `) && each.includes(`no field "${wrong}"`),
      )
      expect([said, about.length]).toEqual([said, 1])
      if (name.length > 3 && !/[A-Z]/.test(wrong)) expect(about[0]).toMatch(/Did you mean "|belongs in/)
    }),
    { numRuns: 200 },
  )
})

test('any table of nonsense is refused by a complaint, never by anything else', () => {
  const names = [...new Set(recipeFields().flatMap(({ path }) => path.split('.')))]
  const value = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant('"x"'),
    fc.constant('1979-05-27'),
  )
  const toml = (item: unknown): string =>
    typeof item === 'number' && !Number.isInteger(item)
      ? Number.isFinite(item)
        ? item.toExponential()
        : String(item).replace('Infinity', 'inf').replace('NaN', 'nan')
      : String(item)
  const line = fc
    .tuple(fc.constantFrom(...names), fc.constantFrom(...names), value)
    .map(([table, name, item]) => `${table}.${name} = ${toml(item)}`)
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const { code, message } = complaint(lines.join('\n'))
      expect([code, message.includes('undefined')]).toEqual(['invalid_input', false])
    }),
    { numRuns: 100 },
  )
})

// ------------------------------------------------------------------------------------------------------------- names

test('names in code and in recipes are the same names', () => {
  for (const { path } of recipeFields()) {
    for (const name of path.split('.')) {
      expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
      expect(kebabCase(camelCase(name))).toBe(name)
    }
  }
})

test('every field is described in one sentence or two', () => {
  for (const { path, description, type } of recipeFields()) {
    expect([path, description]).toEqual([path, expect.stringMatching(/^[A-Z0-9"'].*\.$/)])
    expect([path, type.length > 0]).toEqual([path, true])
  }
})

test('the nearest name is the one with the fewest slips, and none is better than a far one', () => {
  const known = ['trials', 'tasks', 'rounds']
  expect(['trails', 'task', 'Rounds', 'epochs', 'trial'].map((name) => nearestName(name, known))).toEqual([
    'trials',
    'tasks',
    'rounds',
    undefined,
    'trials',
  ])
})
