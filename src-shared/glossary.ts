/** The words on the screens, one meaning each, for the help and for the explanations that appear over a word. */

export const glossary = {
  accuracy: 'Correct answers out of all that could be graded. Always shown with their number, n.',
  adapter:
    'A small file of extra weights that changes what a model does. Put on, it acts; taken off, the model is as before.',
  arm: 'One way of answering the test questions in a run, such as the frozen model or the policy after round 2. Arms are compared on the same questions.',
  attempt:
    'One of the two grids that may be handed in for a test input of a puzzle. One of them has to be right.',
  augmentation:
    'A way to make more training tasks of a puzzle: turned, mirrored, enlarged or repeated copies, in other colours or in another order.',
  'backward transfer':
    'How much learning later passages changed what is known of the earlier ones, on average. Below 0 is forgetting.',
  'base model': 'The model as it was downloaded. Nothing ever changes it.',
  baseline: 'How well the same questions are answered without the adapter.',
  blame: 'Which edits caused an answer: how much less likely it gets when each of them is left out.',
  budget: 'What learning one passage may cost a mind, and what it must bring, in points of accuracy.',
  candidate:
    'One self-edit that the model wrote about one task in one round, with the trials made of it and its reward.',
  certificate:
    'The record of an edit that was taken out: what is left, and the answers before it was learned, with it, and after.',
  configuration:
    'The self-edit about a puzzle: which augmentations to use, what to learn, how fast and how often.',
  'context window': 'How many tokens a model can look at together.',
  demonstration: 'A grid of a puzzle with what becomes of it. The rule has to be found from them.',
  edit: 'One self-edit that a mind has learned: its text, its adapter, the evidence, on or off.',
  epoch: 'One pass over all training sequences.',
  flip: 'An answer that was incorrect before the training and correct after it, or the other way round.',
  forgetting: 'Accuracy on earlier passages that was lost by learning later ones.',
  fork: 'A mind of its own that begins as another one is, or was.',
  'frozen model': 'The base model, asked without the passage and without any training.',
  gain: 'Accuracy with the adapter minus accuracy without, in percentage points.',
  gate: 'What decides whether a new edit is accepted, weakened, or held for review, by its cost against the budget.',
  'general ability':
    'How well questions are answered with the passage in the prompt: what the model could do before it learned anything.',
  grader:
    'What decides whether an answer is correct: a comparison with the accepted answers, or a model that judges.',
  group: 'The candidates of one task in one round. They compete with each other.',
  held: 'Learned and kept, but switched off, because it costs more than the budget allows or brings too little.',
  interval:
    'The range in which the true value lies with 95 % confidence. Two results whose difference has an interval around 0 may differ by chance alone.',
  'inner loop': 'Train an adapter on one self-edit, ask the questions, and take the adapter off again.',
  loss: 'How surprised the model is by the text it is trained on, per token. Lower means better known.',
  'log-probability':
    'How likely the model found what it wrote, as a natural logarithm. Closer to 0 is likelier.',
  merge:
    'Several edits as one file that is used in their place. It is made again from its parts when one of them changes.',
  mind: 'A base model with the ordered stack of edits that it has learned. Every one of them can be taken out again.',
  model: 'A file of weights that continues texts. Selkie reads GGUF files.',
  'outer loop': 'Learn from the best self-edits to write better ones, round after round.',
  passage: 'The text that the model is to take into its weights.',
  policy: 'The model that writes self-edits: the base model with the adapter that the last round trained.',
  prune: 'Switch off the edits that help least.',
  puzzle:
    'A few grids with what becomes of each by one rule, and grids for which that has to be found: a few-shot task.',
  quantisation: 'How few bits each weight is stored in. Fewer bits make a smaller, less exact model.',
  question: 'What the model is asked about a passage it no longer sees.',
  rank: 'How many directions of change an adapter has in each matrix. More can learn more and take more space.',
  recipe:
    'A file that says everything about a run: model, tasks, how self-edits are written, trained on, and rewarded.',
  'reference answer': 'What a question should be answered with.',
  revert: 'Take an edit out of a mind, with proof of what that changed.',
  reward:
    'The number by which candidates are ranked: how well questions are answered after training on the self-edit.',
  round: 'One pass of the outer loop: write self-edits, try them, learn from the best.',
  run: 'One execution of a recipe with one seed.',
  seed: 'The number from which every random choice follows. The same recipe and seed give the same run.',
  'self-edit':
    'What the model writes about a passage in order to learn it: the text it is then trained on. About a puzzle: the configuration of its training.',
  selection: 'Which candidates the policy learns from.',
  stack: 'The edits of a mind in their order.',
  step: 'One update of the weights.',
  store: 'The folder in which everything is kept: runs, answers, adapters, downloaded models.',
  strategy:
    'How a mind learns without forgetting: what a new edit is trained on, and how the edits are used together.',
  strength: 'The factor by which an edit changes the weights: 1 as it was trained, 0 not at all.',
  task: 'A passage together with its questions, or a puzzle.',
  taskset: 'A named collection of tasks.',
  'time machine': 'One question, answered by a mind as it was at every point of its history.',
  token: 'A piece of text that a model reads and writes at once: often a word or a part of one.',
  'training sequence': 'One text, as tokens, that an adapter is trained on.',
  trial: 'One training on a self-edit with one seed. Several trials show how much is luck.',
  view: 'A test input as it is, or turned, mirrored, in other colours, beside other demonstrations. The answers to all views vote.',
  verdict: 'Correct, incorrect, or ungraded. What could not be graded counts as neither.',
} as const

export type GlossaryWord = keyof typeof glossary
