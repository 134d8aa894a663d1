// @ts-check
// Runs inside a worker thread: session.run blocks its thread, so it must not be the caller's. Plain JavaScript, because
// a worker starts from a file that Node reads as it stands.
import { parentPort } from 'node:worker_threads'
import * as ort from 'onnxruntime-node'

/** @import { Request } from './types.ts' */

if (parentPort === null) throw new Error('this file is the body of a worker thread')
const port = parentPort

/** @type {Map<number, ort.InferenceSession>} */
const sessions = new Map()
let provider = 'cpu'
let threads = 0

/** @returns {ort.InferenceSession.SessionOptions} */
const options = () => ({
  executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
  graphOptimizationLevel: 'all',
})

/** @type {{ [K in Request['kind']]: (request: Extract<Request, { kind: K }>) => Promise<Record<string, unknown>> }} */
const handlers = {
  async open(request) {
    provider = request.provider
    threads = request.threads
    const session = await ort.InferenceSession.create(request.probe, options())
    const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1), [1]) })
    await session.release()
    if (y?.data[0] !== 2) throw new Error('a sum of two numbers comes out wrong')
    return {}
  },

  async load({ session, model, location, weights }) {
    const externalData = weights.length > 0 ? [{ path: location, data: weights }] : []
    sessions.set(session, await ort.InferenceSession.create(model, { ...options(), externalData }))
    return {}
  },

  async run({ session, feeds }) {
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, t]) => [name, new ort.Tensor(t.dtype, t.data, t.shape)]),
    )
    const found = sessions.get(session)
    if (found === undefined) throw new Error('the session is disposed')
    const outputs = await found.run(tensors)
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { type, dims, data }]) => [name, { dtype: type, shape: dims, data }]),
    )
  },

  async dispose({ session }) {
    await sessions.get(session)?.release()
    sessions.delete(session)
    return {}
  },
}

/** @template {Request['kind']} K @param {Extract<Request, { kind: K }>} request */
const handle = (request) => handlers[/** @type {K} */ (request.kind)](request)

let last = Promise.resolve()
port.on('message', (/** @type {Request & { id: number }} */ request) => {
  last = last.then(async () => {
    try {
      const outputs = await handle(request)
      port.postMessage({ id: request.id, outputs })
    } catch (error) {
      port.postMessage({ id: request.id, error: error instanceof Error ? error.message : String(error) })
    }
  })
})
