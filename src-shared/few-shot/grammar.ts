/**
 * The grammar (llama.cpp's GBNF) that a model is held to when it writes a configuration: every text of it is the
 * canonical form of one configuration, and every configuration with numbers among the choices is a text of it.
 */
import { AppError } from '../errors.ts'
import { checkNumbers, learningRateText, switchOf, trainingStrategies } from './configuration.ts'
import { transformFamilies } from './transforms.ts'

/**
 * What a model may write where a number stands. Without choices: learning rates of up to three digits from 0.000001 to
 * 0.999, epochs 1 to 99.
 */
export type GrammarChoices = {
  readonly learningRates?: readonly number[]
  readonly epochs?: readonly number[]
}

/** Throws `invalid_input` for an empty list and for numbers that no configuration can have. */
export function configurationGrammar(choices: GrammarChoices = {}): string {
  checkNumbers(choices)
  const switches = transformFamilies.map((family) => `${literal(`"${switchOf(family)}": `)} switch`)
  const root = [
    literal('{"data_generation": {'),
    switches.join(` ${literal(', ')} `),
    literal('}, "training": {"strategy": "'),
    'strategy',
    literal('", "learning_rate": '),
    'rate',
    literal(', "num_train_epochs": '),
    'epochs',
    literal('}}'),
  ]
  const rates = choices.learningRates?.map(learningRateText)
  return [
    `root ::= ${root.join(' ')}`,
    `switch ::= ${oneOf(['true', 'false'])}`,
    `strategy ::= ${oneOf(trainingStrategies)}`,
    `rate ::= ${rates ? oneOf(rates) : '[1-9] ("." [0-9]? [1-9])? "e-" [1-9]'}`,
    `epochs ::= ${choices.epochs ? oneOf(choices.epochs.map(String)) : '[1-9] [0-9]?'}`,
    '',
  ].join('\n')
}

const literal = (text: string): string => JSON.stringify(text)

function oneOf(texts: readonly string[]): string {
  if (texts.length === 0) {
    throw new AppError('invalid_input', 'A list of choices is empty. Name a number, or leave the list out.')
  }
  return [...new Set(texts)].map(literal).join(' | ')
}
