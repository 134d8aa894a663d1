// @ts-check
// Runs inside a worker thread: session.run blocks its thread, so it must not be the caller's. Plain JavaScript, because
// a worker starts from a file that Node reads as it stands.
import { parentPort, workerData } from 'node:worker_threads'
import * as ort from 'onnxruntime-node'
import { postAnswer, serving } from '../runtime/serve.js'

/** @import { Answer, Request } from '../runtime/types.ts' */

// What goes wrong comes back as an error; ONNX Runtime need not print it as well.
ort.env.logLevel = 'fatal'

if (parentPort === null) throw new Error('this file is the body of a worker thread')
const port = parentPort

/** @type {Int32Array} Shared with the thread that owns this one, which never ends it while it is busy. */
const flags = workerData.flags
const BUSY = 0
const CLOSING = 1

const serve = serving(
  ort,
  async (provider, threads) => {
    if (provider === 'webgpu') checkVulkan()
    return {
      executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
    }
  },
  workerData.spinning,
)

/** Without its library for graphics on Linux, WebGPU would print lines of its own source code to standard error. */
function checkVulkan() {
  if (process.platform !== 'linux') return
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1')
  } catch (error) {
    // found, it is refused as it is no module of Node
    if (String(error).includes('cannot open shared object file')) throw error
  }
}

/** @param {Request & { id: number }} request @returns {Promise<Answer>} */
async function answer(request) {
  Atomics.store(flags, BUSY, 1)
  try {
    if (Atomics.load(flags, CLOSING) === 1) return { id: request.id, error: 'the runtime has ended: it was closed' }
    return await serve(request)
  } finally {
    Atomics.store(flags, BUSY, 0)
    Atomics.notify(flags, BUSY)
  }
}

let last = Promise.resolve()
port.on('message', (/** @type {Request & { id: number }} */ request) => {
  last = last.then(async () => postAnswer(port, await answer(request)))
})
