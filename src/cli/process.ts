import type { Worker } from 'node:worker_threads'
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
  onInterrupt(() => coop.stop(new Interrupted()))
  process.on('uncaughtException', (error) => process.exit(coop.fail(error)))
  process.exitCode = await coop.run()
  if (process.exitCode === EXIT.interrupted) process.exit()
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

/** The first Ctrl-C stops the work, which has some seconds for it; the next one ends the process at once. */
function onInterrupt(stop: () => void): void {
  const workers = new Set<Worker>()
  process.on('worker', (worker) => {
    workers.add(worker)
    worker.once('exit', () => workers.delete(worker))
  })
  const end = () => (workers.size === 0 ? process.exit(EXIT.interrupted) : die())
  process.once('SIGINT', () => {
    // nothing listens any more, so the system ends the process at the next one, whatever it is busy with
    if (isFirst) process.on('SIGINT', end)
    setTimeout(end, GRACE_MS)
    stop()
  })
}

/** The first process of a container: the system ends no such process by a signal that it does not listen to. */
const isFirst = process.pid === 1

/** Ends the process as an unheard Ctrl-C does (130 in a shell). An exit would wait for threads in native code. */
function die(): void {
  if (isFirst) process.abort()
  process.removeAllListeners('SIGINT')
  process.kill(process.pid, 'SIGINT')
}

function ignoreClosedPipe(stream: NodeJS.WriteStream, then: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    then()
  })
}
