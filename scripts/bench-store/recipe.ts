/** What the invented runs say they ran: a model that nobody has, and a recipe for each. */
import { createHash } from 'node:crypto'
import type { ModelRecord } from '../../src-shared/records.ts'
import type { Shape } from './run-rows.ts'

export const benchModel: ModelRecord = {
  sha256: createHash('sha256').update('an invented model').digest('hex'),
  path: '/models/invented-135m-q8_0.gguf',
  name: 'invented-135m-q8_0',
  architecture: 'llama',
  quantization: 'Q8_0',
  sizeBytes: 144_811_456,
  source: 'invented',
}

const topics = ['coasts', 'rivers', 'harbours', 'islands', 'lighthouses', 'storms', 'tides', 'birds']

export const recipeText = (index: number, { rounds, groupSize, tasksPerRound, heldOut }: Shape): string => `
name = "${topics[index % topics.length]!} ${Math.floor(index / topics.length)}"
description = "An invented run."
seed = ${index}
model = "./invented.gguf"
reward = "accuracy"
taskset = { format = "selkie", path = "./invented" }
grader = { type = "exact" }
selection = { rule = "best-of-group" }
[self-edit]
prompts = ["implications"]
group-size = ${groupSize}
max-tokens = 256
[inner-loop]
trials = 1
lora = { lora-rank = 16, lora-alpha = 32 }
optimizer = { learning-rate = 1e-3, epochs = 10 }
[outer-loop]
rounds = ${rounds}
tasks-per-round = ${tasksPerRound}
lora = { lora-rank = 16, lora-alpha = 32 }
optimizer = { learning-rate = 1e-3, epochs = 2 }
[evaluation]
split = "test"
tasks = ${heldOut}
arms = ["frozen", "bare-passage", "untrained", "each-round"]
[compute]
adapters-at-once = 5
`
