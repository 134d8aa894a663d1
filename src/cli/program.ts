import { Command as Commander, Option } from 'commander'
import { UsageError } from '../base/errors.ts'
import { nearestWord } from '../base/spelling.ts'
import type { Command, Operand } from './command.ts'
import type { CommandOption, Typed } from './options.ts'
import type { Output } from './progress.ts'

/** Runs the command that was named, with what was typed after it. */
export type Run = (command: Command, typed: Typed, operands: readonly string[]) => Promise<void>

/** The parser of the command line; it throws CommanderError and prints nothing but help and version. */
export function createProgram(commands: readonly Command[], version: string, output: Output, run: Run): Commander {
  const program = new Commander('coop-ts')
    .description('Few-shot image classification with learned CLIP prompts (CoOp).')
    .version(version, '-V, --version', 'print the version')
    .helpCommand(false)
    .helpOption('-h, --help', 'show this help; coop-ts COMMAND --help shows the flags of a command')
    .usage('COMMAND ...')
    .configureOutput({
      writeOut: (text) => output.stdout.write(text),
      writeErr: (text) => output.stderr.write(text),
      outputError: () => {},
    })
    .exitOverride()
  program.addHelpText(
    'after',
    `\nExit status: 0 on success, 1 on failure, 2 when arguments or settings are wrong, 130 after Ctrl-C, 143 after SIGTERM.\n${examplesText(['coop-ts train photos --out runs/photos', 'coop-ts classify runs/photos image.jpg'])}`,
  )
  for (const command of commands) {
    // copies the settings above, which must stand before it
    const sub = program.command(command.name)
    describe(sub, command, run)
  }
  return program
}

/** The help of the program, or of a command, as `--help` prints it. Throws UsageError where there is no such command. */
export function helpOf(commands: readonly Command[], name?: string): string {
  let text = ''
  const written = { write: (more: string) => (text += more) }
  const program = createProgram(commands, '', { stdout: written, stderr: written }, async () => {})
  const shown = name === undefined ? program : program.commands.find((command) => command.name() === name)
  if (shown === undefined) {
    const names = commands.map((command) => command.name)
    const near = nearestWord(name ?? '', names)
    const meant = near === undefined ? '' : ` (did you mean ${near}?)`
    throw new UsageError(`unknown command '${name}'${meant}`, `the commands are ${names.join(', ')}`)
  }
  shown.outputHelp()
  return text.trimEnd()
}

function describe(sub: Commander, command: Command, run: Run): void {
  const description = [capitalised(command.summary), command.details ?? ''].join('\n\n').trim()
  sub.summary(command.summary).description(description).helpOption('-h, --help', 'show this help')
  for (const operand of command.operands) sub.argument(argumentText(operand), operand.help)
  const parsed = command.options.map((option) => ({ key: option.key, option: commanderOption(option) }))
  for (const { option } of parsed) sub.addOption(option)
  sub.addHelpText('after', examplesText(command.examples))
  sub.action(() => {
    const values = sub.opts<Typed>()
    const typed = Object.fromEntries(parsed.map(({ key, option }) => [key, values[option.attributeName()]]))
    return run(command, typed, sub.args)
  })
}

function argumentText({ name, variadic, optional }: Operand): string {
  const text = variadic ? `${name}...` : name
  return optional ? `[${text}]` : `<${text}>`
}

function commanderOption({ flag, short, argument, repeat, help, defaultText }: CommandOption): Option {
  const names = short ? `${short}, ${flag}` : flag
  const option = new Option(
    argument ? `${names} <${argument}>` : names,
    defaultText ? `${help} (default: ${defaultText})` : help,
  )
  if (repeat) option.argParser((text, before: readonly string[] = []) => [...before, text])
  return option
}

const examplesText = (lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`
const capitalised = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
