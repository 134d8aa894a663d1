import type { Command } from './command.ts'
import { createCoop } from './coop.ts'
import { EXIT, Interrupted } from './failure.ts'

/** Threads that an undisposed session left behind must not keep a finished command alive. */
const LINGER_MS = 2000

/** Runs what was typed as this process: its output, its exit status, Ctrl-C. */
export async function runProcess(commands?: readonly Command[]): Promise<void> {
  const coop = createCoop(process.argv.slice(2), process, commands)
  // the reader of a pipe has seen enough (`coop ... | head`)
  ignoreClosedPipe(process.stdout, () => process.exit(process.exitCode ?? EXIT.ok))
  // work continues even if nobody reads its progress
  ignoreClosedPipe(process.stderr, () => {})
  process.on('SIGINT', () => process.exit(coop.fail(new Interrupted())))
  process.on('uncaughtException', (error) => process.exit(coop.fail(error)))
  process.exitCode = await coop.run()
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

function ignoreClosedPipe(stream: NodeJS.WriteStream, then: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    then()
  })
}
