/**
 * The texts put to a model: what asks for a self-edit, what asks a question. They are completion prompts; the wording
 * is ours, the kinds are the paper's (arXiv 2506.10943). `none` asks for nothing: the passage alone is trained on.
 */
export const passagePromptKeys = [
  'implications',
  'implications-long',
  'implications-very-long',
  'rewrite',
  'self-qa',
  'none',
] as const
export type PassagePromptKey = (typeof passagePromptKeys)[number]
/** `configuration` is for few-shot puzzles: it asks for the settings of a training (few-shot/self-edit-prompt.ts). */
export const selfEditPromptKeys = [...passagePromptKeys, 'configuration'] as const
export type SelfEditPromptKey = (typeof selfEditPromptKeys)[number]

type Asking = { readonly instruction: string; readonly cue: string }

const asking: Readonly<Record<Exclude<PassagePromptKey, 'none'>, Asking>> = {
  implications: {
    instruction: 'Read the passage and list what follows from it.',
    cue: 'Implications:\n',
  },
  'implications-long': {
    instruction: 'Read the passage and make a long list of what follows from it.',
    cue: 'Implications:\n',
  },
  'implications-very-long': {
    instruction: 'Read the passage and make a very long list of what follows from it.',
    cue: 'Implications:\n',
  },
  rewrite: {
    instruction: 'Read the passage and write it again in other words, several times.',
    cue: 'Rewritten:\n',
  },
  'self-qa': {
    instruction: 'Read the passage and write questions about it with their answers.',
    cue: 'Question 1:',
  },
}

export type TitledPassage = { readonly title: string; readonly passage: string }

/** The prompt that a self-edit completes; empty for `none`, and for `configuration`, which is not about a passage. */
export function selfEditPrompt(key: SelfEditPromptKey, passage: TitledPassage): string {
  return promptText(selfEditMessage(key, passage))
}

/** What a chat model is told, and how its reply begins; '' if nothing begins it. */
export type PromptParts = { readonly message: string; readonly cue: string }

/** Both as one text to be continued. */
export const promptText = ({ message, cue }: PromptParts): string =>
  cue === '' ? message : `${message}\n\n${cue}`

/** Both are empty for `none`. */
export function selfEditMessage(key: SelfEditPromptKey, { title, passage }: TitledPassage): PromptParts {
  if (key === 'none' || key === 'configuration') return { message: '', cue: '' }
  const { instruction, cue } = asking[key]
  return { message: `${instruction}\n\nPassage: ${title}\n${passage.trim()}`, cue }
}

/** The self-edit as it is read: a completion together with what the cue began for it. */
export function selfEditText(key: string, completion: string): string {
  return key === 'self-qa' ? `${asking[key].cue} ${completion.trim()}` : completion.trim()
}

/** Asks without the passage; the answer follows in the same line. Without a title there is no topic. */
export function questionPrompt(title: string, question: string): string {
  const topic = title === '' ? '' : `Topic: ${title}\n`
  return `${topic}Question: ${question}\nAnswer:`
}

/** Asks with the passage in front. */
export function openBookPrompt({ title, passage }: TitledPassage, question: string): string {
  return `Passage:${title === '' ? '' : ` ${title}`}\n${passage.trim()}\n\n${questionPrompt(title, question)}`
}

/** An answer ends with its line. */
export const answerStop = ['\n'] as const
