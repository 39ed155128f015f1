/** Questions as a person types them, one a line: `question | answer | another answer that is accepted, too`. */

export type OwnQuestion = {
  readonly question: string
  readonly referenceAnswer: string
  readonly aliases: readonly string[]
}
export type OwnQuestions = {
  readonly questions: readonly OwnQuestion[]
  readonly fault: string | null // of the first line that cannot be read, and what to write instead
}

export function readQuestions(text: string): OwnQuestions {
  const questions: OwnQuestion[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const [question = '', referenceAnswer = '', ...aliases] = line.split('|').map((part) => part.trim())
    if (question === '' || referenceAnswer === '') {
      const missing = question === '' ? 'question' : 'answer'
      return { questions, fault: `Line ${index + 1} has no ${missing}. Write it as: question | answer` }
    }
    questions.push({ question, referenceAnswer, aliases: aliases.filter((alias) => alias !== '') })
  }
  return { questions, fault: null }
}
