/** The command line. Only flags are read here: a command loads what it needs once they are known to be right. */
import { Command, CommanderError } from 'commander'
import { adaptersCommand } from './commands/adapters.ts'
import { askCommand } from './commands/ask.ts'
import { benchCommand } from './commands/bench.ts'
import { capsuleCommand } from './commands/capsule.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { fsckCommand } from './commands/fsck.ts'
import { generateCommand } from './commands/generate.ts'
import { importCommand } from './commands/import.ts'
import { inspectCommand } from './commands/inspect.ts'
import { learnCommand } from './commands/learn.ts'
import { mindCommand } from './commands/mind.ts'
import { modelsCommand } from './commands/models.ts'
import { nanoCommand } from './commands/nano.ts'
import { planCommand } from './commands/plan.ts'
import { recipeCommand } from './commands/recipe.ts'
import { reportCommand } from './commands/report.ts'
import { reviewCommand } from './commands/review.ts'
import { runCommand } from './commands/run.ts'
import { scoreCommand } from './commands/score.ts'
import { serveCommand } from './commands/serve.ts'
import { showCommand } from './commands/show.ts'
import { tasksetCommand } from './commands/taskset.ts'
import { trainCommand } from './commands/train.ts'
import { reportError } from './result.ts'

const program = new Command('selkie')
  .description('Trains small LoRA adapters on a local model, and shows what they change.')
  .addHelpText('after', '\nExit status: 0 success, 1 a run failed, 2 wrong usage or bad input.')
for (const create of [
  demoCommand,
  serveCommand,
  learnCommand,
  mindCommand,
  runCommand,
  planCommand,
  recipeCommand,
  tasksetCommand,
  showCommand,
  reviewCommand,
  importCommand,
  reportCommand,
  capsuleCommand,
  adaptersCommand,
  askCommand,
  fsckCommand,
  nanoCommand,
  trainCommand,
  generateCommand,
  scoreCommand,
  benchCommand,
  inspectCommand,
  modelsCommand,
  doctorCommand,
]) {
  program.addCommand(create())
}

// Whoever reads may stop, as `selkie … | head` does. Ends as tools do that such a signal ends: 128 + SIGPIPE.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(141)
  throw error
})

const wantsJson = process.argv.includes('--json')
let complaint = ''
quietly(program)
try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  if (error.exitCode !== 0)
    reportError({ code: 'invalid_input', message: complaint || 'Choose a command.' }, wantsJson)
}

/** Wrong usage is reported like every other error, whichever command it was. */
function quietly(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ outputError: (text) => (complaint = text.trim().replace(/^error: /, '')) })
  command.commands.forEach(quietly)
}
