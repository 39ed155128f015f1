/** `selkie plan`: what a run of a recipe will take on this machine, before it is started. */
import { Command } from 'commander'
import type { Plan, Speeds } from '../../src-shared/plan.ts'
import { bytes, duration, percent, rate } from '../format.ts'
import { jsonOption } from '../options.ts'

const examples = `
Examples:
  selkie plan demo
  selkie plan ./my-recipe.toml --json`

export function planCommand(): Command {
  return new Command('plan')
    .description('estimate time, memory and disk of a recipe; measures this machine for some seconds')
    .argument('<recipe>', 'the name of a bundled recipe, or a .toml file')
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (recipe: string, flags: { readonly json?: true }) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(flags, ({ run }) => run({ type: 'plan', recipe }), describePlan)
    })
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')

/** The plan for people: totals first, then where the time goes, then what it rests on and what speaks against it. */
export function describePlan(plan: Plan): string {
  const { work, memory, disk, judge, visibleDifference } = plan
  const dollars = judge?.dollars == null ? '' : `, about $${judge.dollars.toFixed(2)}`
  const widest = Math.max(...plan.phases.map(({ name }) => name.length))
  return [
    `${plan.recipe} with ${plan.model}: about ${duration(plan.seconds)}`,
    `work     ${whole(work.selfEdits)} self-edits, ${whole(work.trials)} trials, ${whole(work.answers)} answers`,
    `tokens   ${whole(work.selfEditTokens + work.answerTokens)} generated, ${whole(work.promptTokens)} read, ${whole(work.trialTokens + work.policyTokens)} trained on`,
    `memory   ${bytes(memory.totalBytes)} at most`,
    `disk     ${bytes(disk.totalBytes)} for ${whole(disk.trialAdapters)} trial and ${whole(disk.policyAdapters)} policy adapters`,
    ...(judge ? [`judge    ${whole(judge.calls)} calls${dollars}`] : []),
    `power    with ${whole(work.answers)} answers in all you cannot see less than ${percent(visibleDifference.arms)} between arms, ${percent(visibleDifference.candidates)} between candidates of a task`,
    `speeds   ${describeSpeeds(plan.speeds)} tokens/s`,
    'Where the time goes:',
    ...plan.phases.map(({ name, seconds }) => `  ${name.padEnd(widest)}  ${duration(seconds)}`),
    'This rests on:',
    ...plan.assumptions.map((assumption) => `  ${assumption}`),
    ...plan.warnings.map(({ type, message }) => `Warning (${type}): ${message}`),
  ].join('\n')
}

const describeSpeeds = ({ prompt, selfEdits, answers, trials, policy }: Speeds): string =>
  `reading ${rate(prompt)}, writing ${rate(selfEdits)}, answering ${rate(answers)}, training ${rate(trials)} and ${rate(policy)}`
