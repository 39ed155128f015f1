import { expect, test } from 'vitest'
import { trainTexts } from '../../src-core/loop/train-sequences.ts'
import { selfEditText } from '../../src-shared/self-edit-prompts.ts'

const task = { title: 'Ulmenia', passage: ' Ulmenia lies in Orvath. ' }
const rules = { splitNewlines: true, includePassage: true }

test('each line is a text of its own behind the title, the passage comes last', () => {
  expect(trainTexts('- One.\n\n  - Two.  \n', task, rules)).toEqual([
    'Ulmenia\n- One.',
    'Ulmenia\n- Two.',
    'Ulmenia\nUlmenia lies in Orvath.',
  ])
})

test('questions stay with their answers, and the first gets its label if the prompt had given it', () => {
  const completion = ' What is it?\nAnswer: A country.\nQuestion 2: Where?\nAnswer: Orvath'
  expect(trainTexts(selfEditText('self-qa', completion), task, { ...rules, includePassage: false })).toEqual([
    'Ulmenia\nQuestion 1: What is it?\nAnswer: A country.',
    'Ulmenia\nQuestion 2: Where?\nAnswer: Orvath',
  ])
})

test('a self-edit of a single question is one text', () => {
  const text = selfEditText('self-qa', ' What is it?\nAnswer: A country.')
  expect(trainTexts(text, task, { ...rules, includePassage: false })).toHaveLength(1)
})

test('a line in which the model only announces its numbered list is dropped', () => {
  const texts = trainTexts('Here is a list:\n1. One.\n2. Two.', task, { ...rules, includePassage: false })
  expect(texts).toEqual(['Ulmenia\n1. One.', 'Ulmenia\n2. Two.'])
})

test('three dashes separate, and without splitting the lines a part is one text', () => {
  const whole = { splitNewlines: false, includePassage: false }
  expect(trainTexts('One.\nTwo.\n---\nThree.', task, whole)).toEqual([
    'Ulmenia\nOne.\nTwo.',
    'Ulmenia\nThree.',
  ])
})

test('an empty self-edit leaves the passage alone', () => {
  expect(trainTexts(' \n---\n', task, rules)).toEqual(['Ulmenia\nUlmenia lies in Orvath.'])
  expect(trainTexts('', task, { ...rules, includePassage: false })).toEqual([])
})
