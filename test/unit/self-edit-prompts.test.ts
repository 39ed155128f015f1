import { expect, test } from 'vitest'
import {
  openBookPrompt,
  questionPrompt,
  selfEditPrompt,
  passagePromptKeys,
  selfEditText,
} from '../../src-shared/self-edit-prompts.ts'

const task = { title: 'Ulmenia', passage: 'Ulmenia lies in Orvath.\n' }

test('every prompt holds title and passage, and differs from the others', () => {
  const keys = passagePromptKeys.filter((key) => key !== 'none')
  const prompts = keys.map((key) => selfEditPrompt(key, task))
  for (const prompt of prompts) expect(prompt).toContain('Passage: Ulmenia\nUlmenia lies in Orvath.\n\n')
  expect(new Set(prompts).size).toBe(keys.length)
  expect(selfEditPrompt('none', task)).toBe('')
})

test('what the cue of the prompt began belongs to the self-edit', () => {
  expect(selfEditText('self-qa', ' Where is it?\nAnswer: Here\n')).toBe(
    'Question 1: Where is it?\nAnswer: Here',
  )
  expect(selfEditText('implications', '- One.\n')).toBe('- One.')
})

test('a question is asked in the same words with the passage and without it', () => {
  const asked = questionPrompt('Ulmenia', 'Where is it?')
  expect(openBookPrompt(task, 'Where is it?').endsWith(`\n\n${asked}`)).toBe(true)
  expect(asked).not.toContain('Orvath')
})

test('a question without a topic is asked as it is', () => {
  const untitled = { ...task, title: '' }
  expect(questionPrompt('', 'Where?')).toBe('Question: Where?\nAnswer:')
  expect(openBookPrompt(untitled, 'Where?')).toMatch(
    /^Passage:\nUlmenia lies in Orvath.\n\nQuestion: Where\?\n/,
  )
})
