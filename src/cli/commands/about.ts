import { UsageError } from '../../base/errors.ts'
import { packageVersion } from '../../node/package.ts'
import { type Command, defineCommand } from '../command.ts'
import { completionScript, SHELLS } from '../completion.ts'
import { helpOf } from '../program.ts'
import { EVERY } from '../shared-options.ts'

/** The commands that tell about the others. */
export function aboutCommands(commands: readonly Command[]): readonly Command[] {
  const names = [...commands.map(({ name }) => name), 'version', 'completion', 'help']
  const completion = defineCommand({
    name: 'completion',
    summary: 'print a script that completes commands, flags and values in your shell',
    details: 'It says in its first lines where it goes.',
    operands: [{ name: 'shell', help: SHELLS.join(', '), values: SHELLS }],
    examples: ['eval "$(coop-ts completion bash)"', 'coop-ts completion fish | source'],
    options: EVERY,
    async run(_settings, [word]) {
      const shell = SHELLS.find((name) => name === word)
      if (shell === undefined) throw new UsageError(`there is no completion for ${word}`, `give ${SHELLS.join(', ')}`)
      const script = completionScript(shell, all)
      return { json: { shell, script }, text: script }
    },
  })
  const version = defineCommand({
    name: 'version',
    summary: 'print the version',
    operands: [],
    examples: ['coop-ts version'],
    options: EVERY,
    run: async () => ({ json: { version: packageVersion() }, text: packageVersion() }),
  })
  const help = defineCommand({
    name: 'help',
    summary: 'show this help, or the help of a command',
    operands: [{ name: 'command', help: 'a command', optional: true, values: names }],
    examples: ['coop-ts help', 'coop-ts help train'],
    options: EVERY,
    async run(_settings, [name]) {
      const text = helpOf(all, name)
      return { json: { help: text }, text }
    },
  })
  const all: readonly Command[] = [...commands, completion, version, help]
  return all
}
