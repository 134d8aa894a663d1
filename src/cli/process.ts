import type { Worker } from 'node:worker_threads'
import type { Command } from './command.ts'
import { createCoop } from './coop.ts'
import { EXIT, Interrupted, STOPS, type Stop } from './failure.ts'

/** What was stopped has this long to keep what it can go on from; those who send SIGTERM are used to waiting. */
const GRACE_MS: Readonly<Record<Stop, number>> = { SIGINT: 2000, SIGTERM: 8000 }
/** Threads that an undisposed session left behind must not keep a finished command alive. */
const LINGER_MS = 2000

/** Runs what was typed as this process: its output, its exit status, Ctrl-C and SIGTERM. */
export async function runProcess(commands?: readonly Command[]): Promise<void> {
  const coop = createCoop(process.argv.slice(2), process, commands)
  // the reader of a pipe has seen enough (`coop ... | head`)
  ignoreClosedPipe(process.stdout, () => process.exit(process.exitCode ?? EXIT.ok))
  // work continues even if nobody reads its progress
  ignoreClosedPipe(process.stderr, () => {})
  if (!coop.hearsSignals) onInterrupt((signal) => coop.stop(new Interrupted(signal)))
  process.on('uncaughtException', (error) => process.exit(coop.fail(error)))
  process.exitCode = await coop.run()
  if (isStopped(process.exitCode)) process.exit()
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

/**
 * The first Ctrl-C or SIGTERM stops the work, which has some seconds for it; the next Ctrl-C ends the process at once. A
 * second SIGTERM is no haste: whoever ends a group of processes sends it to each, and so may the script that they are in.
 */
function onInterrupt(stop: (signal: Stop) => void): void {
  const workers = new Set<Worker>()
  process.on('worker', (worker) => {
    workers.add(worker)
    worker.once('exit', () => workers.delete(worker))
  })
  const hear = (signal: Stop) => {
    const end = () => (workers.size === 0 ? process.exit(STOPS[signal]) : die(signal))
    process.once(signal, () => {
      // after Ctrl-C nothing listens any more, so the system ends the process at the next one, whatever it is busy with
      if (signal === 'SIGTERM') process.on(signal, () => {})
      else if (isFirst) process.on(signal, end)
      setTimeout(end, GRACE_MS[signal])
      stop(signal)
    })
  }
  hear('SIGINT')
  hear('SIGTERM')
}

const isStopped = (status: number | string | null | undefined) => Object.values<unknown>(STOPS).includes(status)

/** The first process of a container: the system ends no such process by a signal that it does not listen to. */
const isFirst = process.pid === 1

/** Ends the process as an unheard signal does (130 after Ctrl-C in a shell). An exit would wait for threads in native code. */
function die(signal: Stop): void {
  if (isFirst) process.abort()
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

function ignoreClosedPipe(stream: NodeJS.WriteStream, then: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    then()
  })
}
