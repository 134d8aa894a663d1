import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { anObject, checkArguments } from '../base/arguments.ts'
import { CoopError } from '../base/errors.ts'
import { openRuntime, type WorkerPort } from '../runtime/client.ts'
import type { ProfiledOptions, Runtime } from '../runtime/types.ts'
import { wantedOnnxRuntime } from './package.ts'
import { inFiles } from './stored-file.ts'
import { disableTelemetry } from './telemetry.ts'

/** Options of nodeRuntime. */
export interface NodeRuntimeOptions extends ProfiledOptions {
  /**
   * Whether threads that have no work wait for it in a loop that keeps their processors busy. Default: true, which is
   * faster where the machine has nothing else to do; a server, which decodes pictures meanwhile, needs half the time without.
   */
  readonly spinning?: boolean
}

/**
 * ONNX Runtime in a worker thread of this process.
 *
 * @throws UsageError when `threads` is not a whole number from 1 up
 * @throws CoopError when ONNX Runtime cannot be loaded, or no execution provider answers
 */
export async function nodeRuntime(options: NodeRuntimeOptions = {}): Promise<Runtime> {
  checkArguments('nodeRuntime', { options }, { options: anObject })
  await disableTelemetry()
  const flags = new Int32Array(new SharedArrayBuffer(8))
  const { spinning = true } = options
  const worker = new Worker(new URL('worker.js', import.meta.url), { execArgv: [], workerData: { flags, spinning } })
  let broken: Error | undefined
  worker.once('error', (error) => {
    broken = error
  })
  try {
    const { threads = availableParallelism() } = options
    return await openRuntime(workerPort(worker, flags), { ...options, threads })
  } catch (error) {
    throw broken === undefined ? error : notLoaded(broken)
  }
}

/** npm leaves an optional dependency out, without a word, where its install script fails. */
function notLoaded(cause: Error): CoopError {
  return new CoopError(
    `ONNX Runtime (the package onnxruntime-node) cannot be loaded on ${process.platform} ${process.arch}: ${cause.message.split('\n')[0]}`,
    `install it: npm install --no-save --ignore-scripts onnxruntime-node@${wantedOnnxRuntime()}`,
    { cause },
  )
}

/** Cells of the flags shared with the worker: is it at work, and is it told to begin nothing more? */
const BUSY = 0
const CLOSING = 1
/** Milliseconds that the exit of the process waits for a run. */
const LONGEST_WAIT = 60_000

/**
 * While an answer is awaited the worker keeps the process alive; an idle one does not. A worker is never ended in the
 * middle of a run, which ONNX Runtime would answer by aborting the whole process: closing awaits the run, and so does
 * an exit of the process.
 */
export function workerPort(worker: Worker, flags = new Int32Array(new SharedArrayBuffer(8))): WorkerPort {
  const closing = () => Atomics.load(flags, CLOSING) === 1
  let pending = 0
  const count = (change: number) => {
    pending += change
    if (pending > 0) worker.ref()
    else worker.unref()
  }
  count(0)
  const onProcessExit = () => {
    Atomics.store(flags, CLOSING, 1)
    Atomics.wait(flags, BUSY, 1, LONGEST_WAIT)
  }
  process.once('exit', onProcessExit)
  const idle = new Promise<void>((resolve) => {
    worker.on('message', () => {
      count(-1)
      if (pending === 0 && closing()) resolve()
    })
    worker.on('exit', () => {
      process.off('exit', onProcessExit)
      resolve()
    })
  })
  return {
    post: (message, transfer) => {
      worker.postMessage(message, transfer)
      count(+1)
    },
    onAnswer: (listener) => worker.on('message', listener),
    onFailure: (listener) => {
      worker.on('error', (error) => listener(error.message))
      worker.on('exit', (code) => listener(closing() ? 'it was closed' : `its worker exited with status ${code}`))
    },
    terminate: async () => {
      Atomics.store(flags, CLOSING, 1)
      if (pending > 0) await idle
      await worker.terminate()
    },
    inFiles,
  }
}
