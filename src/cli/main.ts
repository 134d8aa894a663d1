#!/usr/bin/env node
import { CommanderError } from 'commander'
import type { Hooks } from '../progress.ts'
import { classify } from './commands/classify.ts'
import { demo } from './commands/demo.ts'
import { evaluate } from './commands/evaluate.ts'
import { pretrain } from './commands/pretrain.ts'
import { train } from './commands/train.ts'
import { zeroShot } from './commands/zero-shot.ts'
import { describeFailure, EXIT, failureText } from './failure.ts'
import { packageVersion } from './package.ts'
import { createProgram } from './program.ts'
import { createProgressPrinter } from './progress.ts'

const COMMANDS = [demo, train, evaluate, zeroShot, classify, pretrain]

/** Threads that an undisposed session left behind must not keep a finished command alive. */
const LINGER_MS = 2000

const words = process.argv.slice(2)
// looked up by hand, because an error in the other words must obey them too
const [json, verbose, quiet] = ['--json', '--verbose', '--quiet'].map((flag) => words.includes(flag))
const printer = createProgressPrinter(process.stderr)
const hooks: Hooks = quiet
  ? {}
  : { onProgress: (event) => printer.show(event), onWarning: (text) => printer.say(`warning: ${text}`) }

process.on('SIGINT', () => {
  printer.clear()
  process.stderr.write('coop: interrupted; files under their final names are whole\n')
  process.exit(EXIT.interrupted)
})
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // the reader of a pipe has seen enough (`coop ... | head`)
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    throw error
  })
}
process.on('uncaughtException', (error) => process.exit(fail(error)))

process.exitCode = await main()
setTimeout(() => process.exit(), LINGER_MS).unref()

async function main(): Promise<number> {
  const program = createProgram(COMMANDS, packageVersion(), async (command, typed, operands) => {
    const outcome = await command.execute(typed, operands, hooks)
    process.stdout.write(json ? `${JSON.stringify(outcome.json)}\n` : `${outcome.text}\n`)
  })
  try {
    await program.parseAsync(words, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof CommanderError && ['commander.helpDisplayed', 'commander.version'].includes(error.code))
      return EXIT.ok
    // `coop` alone has shown its help already
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage
    return fail(error)
  }
}

/** The one place that prints an error; returns the exit status. */
function fail(error: unknown): number {
  printer.clear()
  const { message, remedy, exitCode } = describeFailure(error)
  if (json) process.stdout.write(`${JSON.stringify({ error: message, remedy })}\n`)
  process.stderr.write(`${failureText(error, verbose === true)}\n`)
  return exitCode
}
