/**
 * A run on puzzles that takes seconds: a random model, mini puzzles, one round, every arm that puzzles have. With its seed
 * some self-edits solve their puzzle, and some ask for more steps than are carried out.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeRandomModel } from '../fixtures/make-model.ts'

/** Writes model.gguf, the taskset and recipe.toml into a folder. Returns the path of the recipe. */
export function writeTinyGrids(folder: string): string {
  makeRandomModel(join(folder, 'model.gguf'), {
    architecture: 'llama',
    embeddingWidth: 64,
    feedForwardWidth: 128,
    contextSize: 1024, // a byte of the configuration is a token
  })
  const taskset = join(folder, 'tiles')
  mkdirSync(taskset)
  const write = (name: string, value: unknown): void =>
    writeFileSync(join(taskset, name), JSON.stringify(value))
  write('taskset.json', { name: 'tiles', kind: 'few-shot' })
  write('train.json', [puzzle(0), puzzle(1)])
  write('validation.json', [puzzle(2), puzzle(3)])
  const path = join(folder, 'recipe.toml')
  writeFileSync(path, recipe)
  return path
}

/** Whatever the input is, the output is one and the same tile: even a model that knows nothing can learn that. */
function puzzle(number: number): unknown {
  const output = [`${number + 1}${number + 5}`]
  const input = (of: number): string[] => [`${of}${(of * 3 + number) % 10}`, `${(of + number) % 10}0`]
  return {
    id: `../tile ${number}`, // an id may hold what a file name may not
    title: `Tile ${number}`,
    demonstrations: [1, 2, 3].map((of) => ({ input: input(of), output })),
    questions: [4, 5].slice(number % 2).map((of) => ({ id: `q${number}.${of}`, input: input(of), output })),
  }
}

const recipe = `
name = "tiny-grids"
description = "One round of puzzles on a random model."
seed = 7
model = "./model.gguf"
reward = "solved"

[taskset]
format = "selkie"
path = "./tiles"

[self-edit]
prompts = ["configuration"]
group-size = 3
max-tokens = 300

[few-shot]
text = "rows"
leave-out = [1]
max-tasks = 8
max-steps = 40
leave-one-out = false
permutations = 1
view-transforms = ["transpose"]
learning-rates = [1e-2, 2e-2]
epochs = [8, 64] # the last are more steps than are carried out
families = []

[few-shot.search]
families = [[], ["basic"]]
strategies = ["train_using_output_tokens"]
learning-rates = [2e-2]
epochs = [1, 8]

[inner-loop]
trials = 1
keep-adapters = "all"
[inner-loop.lora]
lora-rank = 4
lora-alpha = 8
[inner-loop.optimizer]
learning-rate = 0.02
epochs = 8
batch-size = 2

[answers]
max-tokens = 8

[grader]
type = "two-attempts"

[selection]
rule = "all-rewarded"

[outer-loop]
rounds = 1
tasks-per-round = 2
[outer-loop.lora]
lora-rank = 4
lora-alpha = 8
[outer-loop.optimizer]
learning-rate = 0.005
epochs = 1
batch-size = 2

[evaluation]
split = "validation"
tasks = 2
arms = ["frozen", "fixed-configuration", "untrained", "each-round", "exhaustive"]

[compute]
threads = 1
device = "CPU"
adapters-at-once = 2
parallel = 4
`
