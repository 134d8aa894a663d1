import type { Command } from './command.ts'
import { createCoop } from './coop.ts'
import { EXIT, Interrupted } from './failure.ts'

/** What was stopped has this long to keep what it can go on from. */
const GRACE_MS = 2000
/** Threads that an undisposed session left behind must not keep a finished command alive. */
const LINGER_MS = 2000

/** Runs what was typed as this process: its output, its exit status, Ctrl-C. */
export async function runProcess(commands?: readonly Command[]): Promise<void> {
  const coop = createCoop(process.argv.slice(2), process, commands)
  // the reader of a pipe has seen enough (`coop ... | head`)
  ignoreClosedPipe(process.stdout, () => process.exit(process.exitCode ?? EXIT.ok))
  // work continues even if nobody reads its progress
  ignoreClosedPipe(process.stderr, () => {})
  // only once: the next Ctrl-C ends the process at once, whatever it is busy with, as the system does by itself
  if (!coop.hearsSignals) {
    process.once('SIGINT', () => {
      coop.stop(new Interrupted())
      setTimeout(() => process.exit(EXIT.interrupted), GRACE_MS)
    })
  }
  process.on('uncaughtException', (error) => process.exit(coop.fail(error)))
  process.exitCode = await coop.run()
  if (process.exitCode === EXIT.interrupted) process.exit()
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

function ignoreClosedPipe(stream: NodeJS.WriteStream, then: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    then()
  })
}
