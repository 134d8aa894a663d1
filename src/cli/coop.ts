import { homedir } from 'node:os'
import { CommanderError } from 'commander'
import type { CoopError } from '../base/errors.ts'
import type { AskingHooks } from '../base/progress.ts'
import { withoutSecrets } from '../base/secrets.ts'
import { visibleJson, visibleText } from '../base/visible.ts'
import { packageVersion } from '../node/package.ts'
import type { Command } from './command.ts'
import { aboutCommands } from './commands/about.ts'
import { add } from './commands/add.ts'
import { classify } from './commands/classify.ts'
import { datasets } from './commands/datasets.ts'
import { demo } from './commands/demo.ts'
import { doctor } from './commands/doctor.ts'
import { evaluate } from './commands/evaluate.ts'
import { exportCommand } from './commands/export.ts'
import { features } from './commands/features.ts'
import { importCommand } from './commands/import.ts'
import { inspect } from './commands/inspect.ts'
import { methods } from './commands/methods.ts'
import { models } from './commands/models.ts'
import { report } from './commands/report.ts'
import { samples } from './commands/samples.ts'
import { serve } from './commands/serve.ts'
import { sweep } from './commands/sweep.ts'
import { train } from './commands/train.ts'
import { nearestWords } from './commands/words.ts'
import { worker } from './commands/worker.ts'
import { zeroShot } from './commands/zero-shot.ts'
import { describeFailure, EXIT, failureText } from './failure.ts'
import { createProgram } from './program.ts'
import { createProgressPrinter, type Output } from './progress.ts'
import { askAt } from './question.ts'

/** What `coop` can do. */
export const COMMANDS: readonly Command[] = [
  train,
  evaluate,
  zeroShot,
  classify,
  inspect,
  add,
  nearestWords,
  features,
  datasets,
  methods,
  models,
  importCommand,
  exportCommand,
  sweep,
  worker,
  report,
  doctor,
  demo,
  samples,
  serve,
]

export interface Coop {
  /** Runs the command; every failure is printed. Returns the exit status. */
  run(): Promise<number>
  /** Prints a failure; returns the exit status. */
  fail(error: unknown): number
  /** Prints why, and tells the command to end; `run` then returns what the reason has for an exit status. */
  stop(reason: CoopError): void
  /** Whether the command ends by itself at the signals of its process. */
  readonly hearsSignals: boolean
}

/** The command line without its process: what was typed after `coop`, and where the output goes. */
export function createCoop(words: readonly string[], { stdout, stderr, stdin }: Output, commands = COMMANDS): Coop {
  // looked up by hand, because an error in the other words must obey them too
  const [json, verbose, quiet] = ['--json', '--verbose', '--quiet'].map((flag) => words.includes(flag))
  const printer = createProgressPrinter(stderr)
  const stopping = new AbortController()
  const { signal } = stopping
  const heard =
    <T>(listener: (event: T) => void) =>
    (event: T) => {
      if (!signal.aborted) listener(event)
    }
  const hooks: AskingHooks = quiet
    ? { signal }
    : {
        signal,
        onProgress: heard((event) => printer.show(event)),
        onWarning: heard((text) => printer.say(`warning: ${safe(text)}`)),
        onQuestion: stdin?.isTTY && stderr.isTTY ? (text) => askAt(stdin, stderr, text, signal) : undefined,
      }

  const fail = (error: unknown) => {
    printer.clear()
    const { message, remedy, exitCode } = describeFailure(error)
    if (json) stdout.write(`${visibleJson({ error: safe(message), remedy: remedy && safe(remedy) })}\n`)
    stderr.write(`${visibleText(safe(failureText(error, verbose === true)))}\n`)
    return exitCode
  }
  const run = async () => {
    let status: number = EXIT.ok
    let shownText = ''
    const collected = { write: (text: string) => (shownText += text) }
    const program = createProgram(
      aboutCommands(commands),
      packageVersion(),
      { stdout: json ? collected : stdout, stderr },
      async (command, typed, operands) => {
        const outcome = await command.execute(typed, operands, hooks, ['coop-ts', ...words].map(kept))
        signal.throwIfAborted()
        stdout.write(`${json ? visibleJson(outcome.json) : visibleText(outcome.text)}\n`)
        const end = await outcome.until
        if (outcome.unfinished) status = EXIT.unfinished
        if (outcome.failed || end?.failed) status = EXIT.failure
      },
    )
    try {
      await program.parseAsync(words, { from: 'user' })
      return status
    } catch (error) {
      if (signal.aborted) return describeFailure(signal.reason).exitCode
      const shown = error instanceof CommanderError ? SHOWN[error.code] : undefined
      if (shown === undefined) return fail(error)
      const { status, key } = shown
      if (json && key !== undefined) stdout.write(`${visibleJson({ [key]: shownText.trimEnd() })}\n`)
      return status
    }
  }
  const stop = (reason: CoopError) => {
    fail(reason)
    stopping.abort(reason)
  }
  const hearsSignals = commands.find(({ name }) => name === words[0])?.hearsSignals === true
  return { run, fail, stop, hearsSignals }
}

/** What is shown of trouble: no message of ours or of others tells a secret. */
const safe = (text: string): string => withoutSecrets(text, process.env)

/** A word as it is kept with results: without secrets, and without the place of the home folder, which says who somebody is. */
function kept(word: string): string {
  const home = homedir()
  const parts = home.length > 1 ? safe(word).split(home) : [safe(word)]
  return parts.reduce((text, part) => `${text}${/^([\\/]|$)/.test(part) ? '~' : home}${part}`)
}

interface Shown {
  readonly status: number
  /** Of what was printed, in the object of `--json`. */
  readonly key?: string
}

/** Where commander has printed what was asked for. */
const SHOWN: Readonly<Record<string, Shown>> = {
  'commander.helpDisplayed': { status: EXIT.ok, key: 'help' },
  'commander.version': { status: EXIT.ok, key: 'version' },
  // `coop` alone shows its help
  'commander.help': { status: EXIT.usage },
}
