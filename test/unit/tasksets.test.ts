/** Readers of tasksets: what each form gives, what they refuse and where they say it is, splits, ids and hashes. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readTaskset, type TasksetSource } from '../../src-core/tasksets/read-taskset.ts'
import { splitTasks } from '../../src-core/tasksets/split-tasks.ts'
import { AppError } from '../../src-shared/errors.ts'
import { requirePassages, type PassageTask } from '../../src-shared/task.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
let made = 0

/** A JSON file, or one of the given bytes. */
function fileWith(content: unknown): string {
  const path = join(folder, `${made++}.json`)
  writeFileSync(path, content instanceof Uint8Array ? content : JSON.stringify(content))
  return path
}

function folderWith(files: Readonly<Record<string, unknown>>): string {
  const path = join(folder, `folder ${made++}`)
  mkdirSync(path)
  for (const [name, content] of Object.entries(files)) {
    const isRaw = typeof content === 'string' || content instanceof Uint8Array
    writeFileSync(join(path, name), isRaw ? content : JSON.stringify(content))
  }
  return path
}

const onlyTrain = { train: 1, validation: 0, test: 0 }
const trainOf = async (source: Omit<TasksetSource, 'format'> & Partial<TasksetSource>) =>
  (await readTaskset({ format: 'auto', splits: onlyTrain, ...source })).taskset.splits.train

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const question = { id: 'q1', question: 'Who?', referenceAnswer: 'Ada', aliases: ['Ada L.'] }
const task = { id: 't1', title: 'Ada', passage: 'Ada wrote it.', questions: [question] }
const other = { ...task, id: 't2', passage: 'Other.', questions: [{ ...question, id: 'q2' }] }
const third = { ...task, id: 't3', passage: 'Third.', questions: [{ ...question, id: 'q3' }] }
const head = { name: 'mine', licence: 'CC0-1.0', source: 'own words' }
const seal = [{ title: 'Ada L.', context: 'Ada wrote it.', questions: [{ question: 'Who?', answer: 'Ada' }] }]
const squad = (qas: unknown[], context = 'Ada wrote it.') => ({
  version: 'v2.0',
  data: [{ title: 'Ada_L.', paragraphs: [{ context, qas }] }],
})
const qa = { id: 'a1', question: 'Who?', answers: [{ text: 'Ada', answer_start: 0 }], is_impossible: false }

// -------------------------------------------------------------------------------------------------- what is read

test('our own form keeps its ids, splits, name, licence and source', async () => {
  const path = folderWith({
    'taskset.json': { ...head, made: 'today' },
    'train.json': [task],
    'test.json': [other],
  })
  const read = await readTaskset({ format: 'auto', path })
  expect(read).toEqual({
    taskset: {
      name: 'mine',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      splits: { train: [task], validation: [], test: [other] },
    },
    format: 'selkie',
    licence: 'CC0-1.0',
    source: 'own words',
    leftOut: { unanswerableQuestions: 0, passagesWithoutQuestions: 0 },
  })
  expect(await readTaskset({ format: 'selkie', path, name: 'yours' })).toEqual({
    ...read,
    taskset: { ...read.taskset, name: 'yours' },
  })
})

test('the hash is that of the splits as canonical JSON, whatever order the fields have in the file', async () => {
  const { id, ...rest } = task
  const paths = [task, { ...rest, id }].map((one) =>
    folderWith({
      'taskset.json': { name: `${made}` },
      'train.json': [one, other],
      'validation.json': [third],
    }),
  )
  const canonical =
    '{"test":[],"train":[' +
    '{"id":"t1","passage":"Ada wrote it.","questions":[{"aliases":["Ada L."],"id":"q1","question":"Who?","referenceAnswer":"Ada"}],"title":"Ada"},' +
    '{"id":"t2","passage":"Other.","questions":[{"aliases":["Ada L."],"id":"q2","question":"Who?","referenceAnswer":"Ada"}],"title":"Ada"}' +
    '],"validation":[' +
    '{"id":"t3","passage":"Third.","questions":[{"aliases":["Ada L."],"id":"q3","question":"Who?","referenceAnswer":"Ada"}],"title":"Ada"}]}'
  for (const path of paths) {
    expect((await readTaskset({ format: 'auto', path })).taskset.sha256).toBe(sha256(canonical))
  }
  const swapped = folderWith({
    'taskset.json': head,
    'train.json': [other, task],
    'validation.json': [third],
  })
  expect((await readTaskset({ format: 'auto', path: swapped })).taskset.sha256).not.toBe(sha256(canonical))
})

test("SQuAD's other answers become aliases without repeats; what cannot be answered is left out and counted", async () => {
  const answers = ['Ada', 'Ada L.', 'Ada ', 'Ada L.'].map((text) => ({ text }))
  const impossible = { ...qa, id: 'a2', answers: [], is_impossible: true }
  const value = squad([{ ...qa, answers }, impossible])
  value.data.push({
    title: 'None',
    paragraphs: [{ context: 'Nothing.', qas: [{ ...impossible, id: 'a3' }] }],
  })
  const read = await readTaskset({ format: 'auto', path: fileWith(value), splits: onlyTrain })
  expect(read.format).toBe('squad')
  expect(read.leftOut).toEqual({ unanswerableQuestions: 2, passagesWithoutQuestions: 1 })
  expect(read.taskset.splits.train).toEqual([
    {
      id: `ada-l-${sha256('Ada wrote it.').slice(0, 12)}`,
      title: 'Ada L.',
      passage: 'Ada wrote it.',
      questions: [{ id: 'a1', question: 'Who?', referenceAnswer: 'Ada', aliases: ['Ada L.'] }],
    },
  ])
})

test('SQuAD v1.1, which knows no unanswerable questions, is read the same', async () => {
  const { is_impossible: _none, ...old } = qa
  const [read] = await trainOf({ path: fileWith(squad([old])) })
  expect(read?.questions).toEqual([{ id: 'a1', question: 'Who?', referenceAnswer: 'Ada', aliases: [] }])
})

test("SEAL's form gives the ids that SQuAD's gives to tasks, and questions an id of their content", async () => {
  const asked = seal[0]!.questions[0]!
  const twice = [{ ...seal[0]!, completions: ['x'], questions: [asked, asked] }]
  const [read] = await trainOf({ path: fileWith(twice) })
  const [same] = await trainOf({ path: fileWith(squad([qa])) })
  expect(read?.id).toBe(same?.id)
  expect(read?.questions.map(({ id }) => id)).toEqual([
    `${same?.id}-${sha256('Who?').slice(0, 8)}`,
    `${same?.id}-${sha256('Who?').slice(0, 8)}-2`,
  ])
})

test('a passage that comes again adds its questions to the first, so that no split shares it', async () => {
  const again = { ...seal[0]!, title: 'Elsewhere', questions: [{ question: 'When?', answer: '1843' }] }
  const tasks = await trainOf({ path: fileWith([...seal, again]) })
  expect(tasks.map(({ title, questions }) => [title, questions.length])).toEqual([['Ada L.', 2]])
})

test('a folder of texts is titled by its file names, in their order', async () => {
  const questions = [
    '{"file": "two.md", "question": "What?", "answer": "It", "aliases": ["That", "It"]}',
    '',
    '{"file": "one.txt", "question": "Who?", "answer": "Ada"}',
    '{"file": "two.md", "question": "When?", "answer": "1843"}',
  ].join('\r\n')
  const path = folderWith({
    'one.txt': '\ufeffLine\r\nline',
    'two.md': 'Two',
    'README.md': '',
    'questions.jsonl': `\ufeff${questions}`,
  })
  const read = await readTaskset({ format: 'auto', path, splits: onlyTrain })
  expect(read.format).toBe('folder')
  expect(read.leftOut.passagesWithoutQuestions).toBe(1)
  const byTitle = requirePassages(read.taskset).splits.train.toSorted((a, b) =>
    a.title.localeCompare(b.title),
  )
  expect(byTitle.map(({ title, passage, questions }) => ({ title, passage, questions }))).toMatchObject([
    {
      title: 'one',
      passage: 'Line\nline',
      questions: [{ question: 'Who?', referenceAnswer: 'Ada', aliases: [] }],
    },
    { title: 'two', passage: 'Two', questions: [{ aliases: ['That'] }, { question: 'When?' }] },
  ])
  const array = folderWith({
    'one.txt': 'Line\nline',
    'questions.json': [{ file: 'one.txt', question: 'Who?', answer: 'Ada' }],
  })
  expect(await trainOf({ path: array })).toEqual([byTitle[0]])
})

test('a name is the same composed and decomposed, on the disk and in the questions', async () => {
  const [composed, decomposed] = ['café.txt'.normalize('NFC'), 'café.txt'.normalize('NFD')]
  for (const onDisk of [composed, decomposed]) {
    const rows = [composed, decomposed].map((file) => ({ file, question: 'What?', answer: 'Coffee' }))
    const path = folderWith({ [onDisk]: 'Coffee', 'questions.json': rows })
    expect(await trainOf({ path })).toMatchObject([{ passage: 'Coffee', questions: [{}, {}] }])
  }
})

test('without a name of its own a taskset is called like its file or folder', async () => {
  const path = fileWith(seal)
  expect((await readTaskset({ format: 'auto', path })).taskset.name).toBe(String(made - 1))
  const named = folderWith({
    'v1.2.txt': 'x',
    'questions.json': [{ file: 'v1.2.txt', question: 'q', answer: 'a' }],
  })
  expect((await readTaskset({ format: 'auto', path: named })).taskset.name).toBe(`folder ${made - 1}`)
})

// ---------------------------------------------------------------------------------------------- what is refused

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

test.each<[string, unknown, TasksetSource['format'], Partial<AppError> & { place?: string }]>([
  ['a broken JSON file', Buffer.from('{"data": ['), 'auto', { code: 'corrupt_file' }],
  ['an empty file', bytes(), 'auto', { code: 'corrupt_file' }],
  ['Latin-1', bytes(0x5b, 0x22, 0xe9, 0x22, 0x5d), 'auto', { message: 'not UTF-8' }],
  ['UTF-16', Buffer.from('\ufeff[]', 'utf16le'), 'auto', { message: 'UTF-16' }],
  ['a JSON file of no known form', { texts: [] }, 'auto', { message: 'neither' }],
  ['an array where SQuAD is meant', seal, 'squad', { message: 'expected object, received array' }],
  ['an object where SEAL is meant', squad([qa]), 'seal', { message: 'expected array, received object' }],
  ['no task at all', [], 'auto', { message: 'no task with a question' }],
  ['no answerable question', squad([{ ...qa, is_impossible: true }]), 'auto', { message: 'no task' }],
  ['an empty passage', [...seal, { ...seal[0], context: ' \n' }], 'auto', { place: 'context of item 1' }],
  ['no questions', [{ ...seal[0], questions: [] }], 'auto', { place: 'questions of item 0' }],
  [
    'an answer of the wrong type',
    [...seal, { ...seal[0], questions: [...seal[0]!.questions, { question: 'q', answer: 7 }] }],
    'auto',
    { place: 'questions[1].answer of item 1' },
  ],
  ['half of a character in a title', [{ ...seal[0], title: '\udc00' }], 'auto', { place: 'title of item 0' }],
  ['half of a character', [{ ...seal[0], context: 'a\ud800' }], 'auto', { place: 'context of item 0' }],
  [
    'a SQuAD question without an answer',
    squad([{ ...qa, answers: [] }]),
    'auto',
    { place: 'data[0].paragraphs[0].qas[0]' },
  ],
  [
    'a SQuAD question id that comes twice',
    squad([qa, qa]),
    'auto',
    { place: 'data[0].paragraphs[0].qas[1]' },
  ],
  [
    'a SQuAD passage that is missing',
    { data: [{ title: '', paragraphs: [{ qas: [qa] }] }] },
    'auto',
    { place: 'data[0].paragraphs[0].context' },
  ],
])('%s is refused', async (_name, content, format, { code = 'invalid_input', message = '', place }) => {
  const path = fileWith(content)
  await expect(readTaskset({ format, path })).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message),
    data: { path, ...(place !== undefined && { place }) },
  })
})

test.each<[string, Readonly<Record<string, unknown>>, string]>([
  ['no taskset.json', { 'train.json': [task] }, 'neither taskset.json nor questions.jsonl'],
  ['a taskset.json without a name', { 'taskset.json': {}, 'train.json': [task] }, 'taskset.json, name:'],
  ['no split', { 'taskset.json': head }, 'no task with a question'],
  [
    'an unknown field',
    { 'taskset.json': head, 'test.json': [{ ...task, context: '' }] },
    'test.json, item 0:',
  ],
  [
    'an answer that is missing',
    { 'taskset.json': head, 'train.json': [task, { ...other, questions: [{ id: 'x', question: 'Who?' }] }] },
    'train.json, questions[0].referenceAnswer of item 1:',
  ],
  [
    'a task id that comes twice',
    { 'taskset.json': head, 'train.json': [task], 'validation.json': [{ ...other, id: 't1' }] },
    'validation.json, item 0: has the id of item 0 in train.json.',
  ],
  [
    'a question id that comes twice',
    { 'taskset.json': head, 'train.json': [task, { ...other, questions: [question] }] },
    'train.json, questions[0] of item 1: has the id of questions[0] of item 0 in train.json.',
  ],
  [
    'a passage in two splits',
    {
      'taskset.json': head,
      'train.json': [other, task],
      'test.json': [{ ...other, id: 't3', passage: task.passage, questions: [{ ...question, id: 'q3' }] }],
    },
    'test.json, item 0: has the passage of item 1 in train.json.',
  ],
  [
    'a text that is not there',
    { 'questions.json': [{ file: '../x.txt', question: 'q', answer: 'a' }] },
    'item 0: there is no text "../x.txt"',
  ],
  ['a broken line', { 'questions.jsonl': '\n{"file": ' }, 'questions.jsonl, line 2: not JSON'],
  [
    'a line without an answer',
    { 'a.txt': 'a', 'questions.jsonl': '{"file": "a.txt", "question": "q"}' },
    'line 1: answer: ',
  ],
  [
    'an empty text',
    { 'a.txt': ' \n', 'questions.json': [{ file: 'a.txt', question: 'q', answer: 'a' }] },
    'a.txt is empty',
  ],
  ['questions of both kinds', { 'questions.json': [], 'questions.jsonl': '' }, 'both'],
])('a folder with %s is refused', async (_name, files, message) => {
  await expect(readTaskset({ format: 'auto', path: folderWith(files) })).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining(message),
  })
})

test('a file of more than 512 MB is refused before it is read', async () => {
  const path = fileWith([])
  truncateSync(path, 513_000_000)
  await expect(readTaskset({ format: 'auto', path })).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining('has 513 MB'),
  })
})

test('a form that does not fit a file, a folder or its own splits is refused', async () => {
  const file = fileWith(seal)
  const own = folderWith({ 'taskset.json': head, 'train.json': [task] })
  for (const source of [
    { format: 'selkie', path: file },
    { format: 'folder', path: file },
    { format: 'squad', path: own },
    { format: 'folder', path: own },
    { format: 'selkie', path: own, splits: onlyTrain },
  ] as const) {
    await expect(readTaskset(source)).rejects.toMatchObject({ code: 'invalid_input' })
  }
  await expect(readTaskset({ format: 'auto', path: join(folder, 'none') })).rejects.toMatchObject({
    code: 'ENOENT',
  })
})

test('whatever JSON a file holds, it is read or refused with an AppError', async () => {
  const anything = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, '', 'x', 0, true),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom(
          'data',
          'title',
          'paragraphs',
          'context',
          'qas',
          'questions',
          'question',
          'answer',
          'id',
        ),
        tie('node'),
        { maxKeys: 4 },
      ),
    ),
  })).node
  await fc.assert(
    fc.asyncProperty(anything, async (value) => {
      const read = await readTaskset({ format: 'auto', path: fileWith(value) }).catch(
        (error: unknown) => error,
      )
      expect(read instanceof AppError || (read as { taskset: unknown }).taskset !== undefined).toBe(true)
    }),
    { numRuns: 200 },
  )
})

// -------------------------------------------------------------------------------------------------------- splits

const tasksNumbered = (count: number): PassageTask[] =>
  Array.from({ length: count }, (_, number) => ({ ...task, id: String(number) }))

test('splits never share a task, repeat with their seed, and hold what their sizes say', () => {
  fc.assert(
    fc.property(
      fc.nat(40),
      fc.nat(30),
      fc.nat(30),
      fc.nat(30),
      fc.nat(),
      (more, train, validation, testCount, seed) => {
        const total = train + validation + testCount
        fc.pre(total > 1)
        const tasks = tasksNumbered(total + more)
        const sizes = { train, validation, test: testCount, seed }
        const dealt = splitTasks(tasks, sizes)
        expect([dealt.train.length, dealt.validation.length, dealt.test.length]).toEqual([
          train,
          validation,
          testCount,
        ])
        const ids = [...dealt.train, ...dealt.validation, ...dealt.test].map(({ id }) => id)
        expect(new Set(ids).size).toBe(total)
        expect(splitTasks(tasks, sizes)).toEqual(dealt)
      },
    ),
  )
})

test('shares that add up to 1 lose no task, and the default is 80, 10 and 10 of a hundred', async () => {
  fc.assert(
    fc.property(fc.nat(200), fc.nat(100), fc.nat(100), (count, first, second) => {
      const [low, high] = [Math.min(first, second) / 100, Math.max(first, second) / 100]
      const dealt = splitTasks(tasksNumbered(count), { train: low, validation: high - low, test: 1 - high })
      expect(dealt.train.length + dealt.validation.length + dealt.test.length).toBe(count)
    }),
  )
  // In binary these add up to a little less than 1.
  expect(splitTasks(tasksNumbered(10), { train: 0.7, validation: 0.2, test: 0.1 }).test).toHaveLength(1)
  const passages = Array.from({ length: 100 }, (_, number) => ({
    ...seal[0]!,
    context: `Passage ${number}.`,
  }))
  const { taskset } = await readTaskset({ format: 'seal', path: fileWith(passages) })
  const { train, validation, test: last } = requirePassages(taskset).splits
  expect([train.length, validation.length, last.length]).toEqual([80, 10, 10])
  expect(train[0]!.passage).not.toBe('Passage 0.')
})

test('another seed deals another split', () => {
  const sizes = { train: 10, validation: 5, test: 5 }
  const of = (seed: number) => splitTasks(tasksNumbered(20), { ...sizes, seed })
  expect(of(1)).not.toEqual(of(2))
  expect(splitTasks(tasksNumbered(20), sizes)).toEqual(of(0))
})

test.each([
  ['more tasks than there are', { train: 20, validation: 1, test: 0 }, 'ask for 21 tasks, but there are 20'],
  [
    'shares that add up to more than 1',
    { train: 0.8, validation: 0.2, test: 0.2 },
    'neither shares nor counts',
  ],
  ['a negative size', { train: -1, validation: 0, test: 1 }, '0 or more'],
  ['no number', { train: NaN, validation: 0, test: 1 }, '0 or more'],
])('%s are refused as sizes', (_name, sizes, message) => {
  expect(() => splitTasks(tasksNumbered(20), sizes)).toThrow(
    expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(message) }),
  )
})

// ------------------------------------------------------------------------------------------- the published data

const shared = process.env['SELKIE_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url))
const published = resolve(shared, 'data/seal/knowledge-incorporation/data')
const publishedTest = test.skipIf(!existsSync(join(published, 'squad_val.json')))

publishedTest("SEAL's published passages are read in full (skipped where the data is absent)", async () => {
  const read = await readTaskset({
    format: 'auto',
    path: join(published, 'squad_val.json'),
    splits: onlyTrain,
  })
  const tasks = read.taskset.splits.train
  expect(read.format).toBe('seal')
  expect(tasks.length).toBe(2067)
  expect(new Set(tasks.map(({ id }) => id)).size).toBe(2067)
  expect(new Set(tasks.map(({ title }) => title)).size).toBe(48)
  const questions = tasks.flatMap((one) => one.questions)
  expect(questions.length).toBe(10_570)
  expect(new Set(questions.map(({ id }) => id)).size).toBe(10_570)
})

publishedTest('a published file with self-edits is read for its 200 passages', async () => {
  const path = join(published, 'synthetic_data/eval/base_val.json')
  const tasks = await trainOf({ path })
  expect([tasks.length, tasks.flatMap(({ questions }) => questions).length]).toEqual([200, 974])
})
