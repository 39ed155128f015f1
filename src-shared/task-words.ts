/** What people call the tasks of a kind, and what is asked about them. */
export type TaskWords = {
  readonly task: string
  readonly tasks: string
  readonly question: string
  readonly questions: string
}

export const passageWords = {
  task: 'passage',
  tasks: 'passages',
  question: 'question',
  questions: 'questions',
} as const satisfies TaskWords

export const puzzleWords = {
  task: 'puzzle',
  tasks: 'puzzles',
  question: 'test input',
  questions: 'test inputs',
} as const satisfies TaskWords

/** For passages and puzzles side by side. */
export const mixedWords: TaskWords = {
  task: 'task',
  tasks: 'tasks',
  question: 'question',
  questions: 'questions',
}

/** By a run's configuration, which for a recipe of puzzles has few-shot settings. */
export const taskWordsOf = (config: unknown): typeof passageWords | typeof puzzleWords =>
  typeof config === 'object' && config !== null && 'fewShot' in config ? puzzleWords : passageWords
