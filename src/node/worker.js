// @ts-check
// Runs inside a worker thread: session.run blocks its thread, so it must not be the caller's. Plain JavaScript, because
// a worker starts from a file that Node reads as it stands.
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import * as ort from 'onnxruntime-node'

/** @import { FloatTensor } from '../graph/tensor.ts' */
/** @import { Answer, Request } from '../runtime/types.ts' */

// What goes wrong comes back as an error; ONNX Runtime need not print it as well.
ort.env.logLevel = 'fatal'

if (parentPort === null) throw new Error('this file is the body of a worker thread')
const port = parentPort

/** @type {Int32Array} Shared with the thread that owns this one, which never ends it while it is busy. */
const flags = workerData.flags
const BUSY = 0
const CLOSING = 1

/** @type {Map<number, ort.InferenceSession>} */
const sessions = new Map()
let provider = 'cpu'
let threads = 0
/** @type {string | undefined} Folder of the profiles. */
let profile

/** @returns {ort.InferenceSession.SessionOptions} */
const options = () => ({
  executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  logSeverityLevel: 4,
  graphOptimizationLevel: 'all',
  extra: { session: { intra_op: { allow_spinning: workerData.spinning ? '1' : '0' } } },
})

/** @type {{ [K in Request['kind']]: (request: Extract<Request, { kind: K }>) => Promise<Record<string, FloatTensor>> }} */
const handlers = {
  async open(request) {
    if (request.provider === 'webgpu') checkVulkan()
    provider = request.provider
    threads = request.threads
    profile = request.profile
    const session = await ort.InferenceSession.create(request.probe, options())
    const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1), [1]) })
    await session.release()
    if (y?.data[0] !== 2) throw new Error('a sum of two numbers comes out wrong')
    return {}
  },

  async load({ session, model, weights }) {
    const profiling =
      profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: join(profile, 'session') }
    const whole = { ...options(), ...profiling, externalData: weights }
    sessions.set(session, await ort.InferenceSession.create(model, whole))
    return {}
  },

  async run({ session, feeds }) {
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, t]) => [name, new ort.Tensor(t.dtype, t.data, t.shape)]),
    )
    const found = sessions.get(session)
    if (found === undefined) throw new Error(`there is no session ${session}`)
    const outputs = Object.entries(await found.run(tensors))
    return Object.fromEntries(outputs.map(([name, tensor]) => [name, floatTensor(tensor)]))
  },

  async dispose({ session }) {
    if (profile !== undefined) sessions.get(session)?.endProfiling()
    await sessions.get(session)?.release()
    sessions.delete(session)
    return {}
  },
}

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

/** @param {ort.Tensor} tensor @returns {FloatTensor} */
function floatTensor({ dims, data }) {
  if (!(data instanceof Float32Array)) throw new Error('an output is not float32')
  return { dtype: 'float32', shape: dims, data }
}

/** @template {Request['kind']} K @param {Extract<Request, { kind: K }>} request */
const handle = (request) => handlers[/** @type {K} */ (request.kind)](request)

/** @param {Request & { id: number }} request @returns {Promise<Answer>} */
async function answer(request) {
  const { id } = request
  Atomics.store(flags, BUSY, 1)
  try {
    if (Atomics.load(flags, CLOSING) === 1) return { id, error: 'the runtime has ended: it was closed' }
    return { id, outputs: await handle(request) }
  } catch (error) {
    return { id, error: `ONNX Runtime: ${error instanceof Error ? error.message : error}` }
  } finally {
    Atomics.store(flags, BUSY, 0)
    Atomics.notify(flags, BUSY)
  }
}

/** Copied sooner than it is moved to another thread (as in ../runtime/client.ts). @param {Float32Array} data */
const isSmall = ({ byteLength }) => byteLength < 1 << 16

/** Moves the memory of the outputs. @param {Answer} message */
function post(message) {
  const outputs = 'outputs' in message ? Object.values(message.outputs) : []
  try {
    port.postMessage(
      message,
      outputs.flatMap(({ data }) => (!isSmall(data) && data.buffer instanceof ArrayBuffer ? [data.buffer] : [])),
    )
  } catch {
    port.postMessage(message) // copies it: a version of ONNX Runtime may keep its memory to itself
  }
}

let last = Promise.resolve()
port.on('message', (/** @type {Request & { id: number }} */ request) => {
  last = last.then(async () => post(await answer(request)))
})
