/** The grader that asks a model: what is asked, remembered and charged. Where the model runs is the asker's. */
import { createHash } from 'node:crypto'
import { isEmptyAnswer, type GradedAnswer, type Grader, type GradeItem, type GradingCost } from './grader.ts'
import { judgePrompt, judgePromptId, readVerdict } from './judge-prompt.ts'

export type JudgeReply =
  | { readonly type: 'reply'; readonly text: string; readonly cost?: GradingCost }
  | { readonly type: 'failed'; readonly reason: string }

/** A place where a model replies to prompts. */
export type Asker = {
  readonly name: string // for people: where, and which model
  readonly model: string // what identifies the model's replies
  /** Calls `onReply` once for each prompt, as soon as it can. Throws AppError if no prompt can get a reply. */
  ask(
    prompts: readonly string[],
    signal: AbortSignal,
    onReply: (prompt: string, reply: JudgeReply) => void,
  ): Promise<void>
}

/** Clear replies by key; a Map, or a table. The key is the SHA-256 of model and prompt, in hexadecimal. */
export type ReplyCache = {
  get(key: string): string | undefined
  set(key: string, reply: string): unknown
}

/**
 * A failed call or an unclear reply leaves an answer `ungraded`, with the reason in its detail. An empty answer is
 * incorrect without a call, equal prompts are asked once, and a cached reply costs nothing. Replies are cached as they
 * arrive, so that grading again after an error or a cancel asks only what is missing.
 */
export function createJudge(asker: Asker, cache: ReplyCache = new Map<string, string>()): Grader {
  const keyOf = (prompt: string): string =>
    createHash('sha256').update(`${asker.model}\0${prompt}`).digest('hex')
  /** Of replies that no answer has been charged for yet: the first to use one is. */
  const costs = new Map<string, GradingCost>()

  const ask = async (prompts: ReadonlySet<string>, signal: AbortSignal): Promise<Map<string, JudgeReply>> => {
    const replies = new Map<string, JudgeReply>()
    const missing: string[] = []
    for (const prompt of prompts) {
      const cached = cache.get(keyOf(prompt))
      if (cached === undefined) missing.push(prompt)
      else replies.set(prompt, { type: 'reply', text: cached })
    }
    if (missing.length === 0) return replies
    await asker.ask(missing, signal, (prompt, reply) => {
      replies.set(prompt, reply)
      if (reply.type === 'failed') return
      if (reply.cost) costs.set(prompt, reply.cost)
      if (readVerdict(reply.text) !== 'ungraded') cache.set(keyOf(prompt), reply.text)
    })
    return replies
  }

  return {
    name: `judge ${asker.name} prompt=${judgePromptId}`,
    grade: async (items, signal) => {
      signal.throwIfAborted()
      const prompts = items.map(promptOf)
      const replies = await ask(new Set(prompts.flatMap((prompt) => prompt ?? [])), signal)
      return prompts.map((prompt): GradedAnswer => {
        if (prompt === undefined) return { verdict: 'incorrect', detail: 'empty answer' }
        const cost = costs.get(prompt)
        costs.delete(prompt)
        return { ...readReply(replies.get(prompt)), ...(cost && { cost }) }
      })
    },
  }
}

function promptOf(item: GradeItem): string | undefined {
  return isEmptyAnswer(item.answer) ? undefined : judgePrompt(item)
}

function readReply(reply: JudgeReply | undefined): GradedAnswer {
  if (reply?.type !== 'reply') {
    return { verdict: 'ungraded', detail: reply?.reason ?? 'The judge gave no reply.' }
  }
  return { verdict: readVerdict(reply.text), detail: reply.text.trim().slice(0, 200).toWellFormed() }
}
