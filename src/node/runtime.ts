import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { openRuntime } from '../runtime/client.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'

/** ONNX Runtime in a worker thread of this process. */
export async function nodeRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const worker = new Worker(new URL('../runtime/worker.js', import.meta.url), { execArgv: [] })
  let ending = false
  // While an answer is awaited the worker keeps the process alive; an idle one does not.
  let pending = 0
  const count = (change: number) => {
    pending += change
    if (pending > 0) worker.ref()
    else worker.unref()
  }
  count(0)
  const threads = options.threads ?? availableParallelism()
  return openRuntime(
    {
      post: (message, transfer) => {
        count(+1)
        worker.postMessage(message, transfer)
      },
      onAnswer: (listener) =>
        worker.on('message', (answer) => {
          count(-1)
          listener(answer)
        }),
      onFailure: (listener) => {
        worker.on('error', (error) => listener(error.message))
        worker.on('exit', (code) => listener(ending ? 'it was closed' : `exit status ${code}`))
      },
      terminate: async () => {
        ending = true
        await worker.terminate()
      },
    },
    { ...options, threads },
  )
}
