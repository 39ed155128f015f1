/** What people call the tasks of a kind, and what is asked about them. */
export type TaskWords = {
  readonly task: string
  readonly tasks: string
  readonly question: string
  readonly questions: string
}

export const passageWords: TaskWords = {
  task: 'passage',
  tasks: 'passages',
  question: 'question',
  questions: 'questions',
}

export const puzzleWords: TaskWords = {
  task: 'puzzle',
  tasks: 'puzzles',
  question: 'test input',
  questions: 'test inputs',
}
