import { isMainThread } from 'node:worker_threads'
import { CoopError } from '../base/errors.ts'

const OFF = "process.env.ORT_DISABLE_TELEMETRY ||= '1'"

/** Milliseconds that the main thread has for its answer. */
const LONGEST_WAIT = 10_000

/**
 * Keeps ONNX Runtime from reporting to its makers, which it does on Linux and macOS unless ORT_DISABLE_TELEMETRY is 1 in
 * the environment of the process when its first session is made. A value that the user has set stays.
 *
 * @throws CoopError in a worker thread whose main thread does not answer
 */
export async function disableTelemetry(): Promise<void> {
  if (process.env.ORT_DISABLE_TELEMETRY) return
  // in a worker thread process.env is a copy, which native code does not see: the main thread has the real one
  if (!isMainThread) {
    await evaluateOnMainThread(OFF).catch((cause) => {
      throw new CoopError(
        'the telemetry of ONNX Runtime cannot be switched off from this worker thread',
        'start the program with ORT_DISABLE_TELEMETRY=1 in its environment',
        { cause },
      )
    })
  }
  process.env.ORT_DISABLE_TELEMETRY = '1'
}

/** @throws what hinders it, after a while at the latest */
async function evaluateOnMainThread(expression: string): Promise<void> {
  const { Session } = await import('node:inspector')
  const session = new Session()
  session.connectToMainThread()
  let timer: NodeJS.Timeout | undefined
  const done = new Promise<void>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the main thread does not answer')), LONGEST_WAIT)
    session.post('Runtime.evaluate', { expression }, (error) => (error ? reject(error) : resolve()))
  })
  return done.finally(() => {
    clearTimeout(timer)
    session.disconnect()
  })
}
