// The body of a process that a test interrupts: a command that, once interrupted, leaves its thread no time for anything.
import { defineCommand } from '../cli/command.ts'
import { runProcess } from '../cli/process.ts'

process.argv.splice(2, process.argv.length, 'busy')
await runProcess([
  defineCommand({
    name: 'busy',
    summary: 'wait for Ctrl-C, then spin',
    operands: [],
    examples: [],
    options: {},
    async run(_settings, _operands, { signal }) {
      process.stdout.write('ready\n')
      const waiting = setInterval(() => {}, 1000)
      await new Promise((resolve) => signal?.addEventListener('abort', resolve))
      clearInterval(waiting)
      for (;;);
    },
  }),
])
