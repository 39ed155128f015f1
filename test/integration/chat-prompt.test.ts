/** Self-edit prompts in a model's own chat format, written by real llama.cpp. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sampleSelfEdits } from '../../src-core/loop/self-edits.ts'
import type { ComputePort } from '../../src-shared/compute-protocol.ts'
import { selfEditMessage } from '../../src-shared/self-edit-prompts.ts'
import { makeRandomModel } from '../fixtures/make-model.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { startGenerator } from './compute.ts'

const generator = startGenerator()
const folder = temporaryFolder()
const signal = new AbortController().signal

const chatMl =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
const chatModel = join(folder, 'chat.gguf')
makeRandomModel(chatModel, { architecture: 'llama', seed: 1, contextSize: 1024, chatTemplate: chatMl })
const plainModel = join(folder, 'plain.gguf')
makeRandomModel(plainModel, { architecture: 'llama', seed: 1 })
const strangeModel = join(folder, 'strange.gguf')
makeRandomModel(strangeModel, { architecture: 'llama', seed: 1, chatTemplate: 'Dear model, ' })

const promptsOf = async (modelPath: string, messages: readonly string[]): Promise<readonly string[]> =>
  await generator.request('generator.chatPrompts', { modelPath, messages })

test("a message becomes a user's turn, and the reply is begun", async () => {
  expect(await promptsOf(chatModel, ['Hé 你好', 'two\nlines'])).toEqual([
    '<|im_start|>user\nHé 你好<|im_end|>\n<|im_start|>assistant\n',
    '<|im_start|>user\ntwo\nlines<|im_end|>\n<|im_start|>assistant\n',
  ])
})

test('a model without a chat format, with an unknown one, or a message with a null character is refused', async () => {
  await expect(promptsOf(plainModel, ['x'])).rejects.toMatchObject({ code: 'unsupported' })
  await expect(promptsOf(strangeModel, ['x'])).rejects.toThrow(/does not know its chat format/)
  await expect(promptsOf(chatModel, ['a\0b'])).rejects.toMatchObject({ code: 'invalid_input' })
})

test('a recipe of chat style asks for self-edits in that format, the cue after it', async () => {
  const task = { id: 'a', title: 'Alba', passage: 'Alba lies in the north.', questions: [] }
  const compute: ComputePort = {
    request: async (method, input, options) =>
      await generator.request(method as never, input as never, options),
  }
  const [edit] = await sampleSelfEdits(
    { compute, signal, modelPath: chatModel, parallel: 1, threads: 1, promptStyle: 'chat-instruct' },
    [],
    [{ ...selfEditMessage('self-qa', task), seed: 1 }],
    { temperature: 1, topP: 1, maxTokens: 4, stop: [] },
  )
  const { message, cue } = selfEditMessage('self-qa', task)
  expect(edit!.prompt).toBe(`<|im_start|>user\n${message}<|im_end|>\n<|im_start|>assistant\n${cue}`)
  expect(edit!.completion.seed).toBe(1)
})
