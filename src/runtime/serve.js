// @ts-check
// What a worker does with the requests of client.ts, in Node and in a page alike. Plain JavaScript: Node reads a worker's
// files as they stand.

/** @import { FloatTensor } from '../graph/tensor.ts' */
/** @import { Answer, Request } from './types.ts' */
/** @import { InferenceSession, InferenceSessionFactory, Tensor, TensorConstructor } from 'onnxruntime-common' */

/**
 * Answers requests by ONNX Runtime, one after the other.
 *
 * @param {{ readonly InferenceSession: InferenceSessionFactory, readonly Tensor: TensorConstructor }} ort
 * @param {(provider: string, threads: number) => Promise<InferenceSession.SessionOptions>} open what sessions are made with on a provider
 * @param {boolean} [maySpin] whether threads that wait for work may do so in a loop
 * @returns {(request: Request & { id: number }) => Promise<Answer>}
 */
export function serving(ort, open, maySpin = true) {
  /** @type {Map<number, InferenceSession>} */
  const sessions = new Map()
  /** @type {InferenceSession.SessionOptions} */
  let options = {}
  /** @type {string | undefined} Folder of the profiles. */
  let profile

  /** @type {{ [K in Request['kind']]: (request: Extract<Request, { kind: K }>) => Promise<Record<string, FloatTensor>> }} */
  const handlers = {
    async open({ provider, threads, profile: folder, probe }) {
      profile = folder
      // a pattern of memory for all of a run takes half as much again as what is allocated as it is needed
      const common = /** @type {const} */ ({
        graphOptimizationLevel: 'all',
        logSeverityLevel: 4,
        enableMemPattern: false,
      })
      options = { ...(await open(provider, threads)), ...common }
      const session = await ort.InferenceSession.create(probe, options)
      const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1), [1]) })
      await session.release()
      if (y?.data[0] !== 2) throw new Error('a sum of two numbers comes out wrong')
      return {}
    },

    async load({ session, model, weights, folder, spinning, once }) {
      const profiling = profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: `${profile}/session` }
      const extra = { session: { ...waiting(spinning && maySpin), ...filesIn(folder), ...(once ? UNPACKED : {}) } }
      const whole = { ...options, ...(once ? UNCHANGED : {}), ...profiling, extra, externalData: weights }
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
  /** @template {Request['kind']} K @param {Extract<Request, { kind: K }>} request */
  const handle = (request) => handlers[/** @type {K} */ (request.kind)](request)

  return async (request) => {
    const { id } = request
    try {
      return { id, outputs: await handle(request) }
    } catch (error) {
      return { id, error: `ONNX Runtime: ${error instanceof Error ? error.message : error}` }
    }
  }
}

/** @param {boolean} spinning */
const waiting = (spinning) => (spinning ? {} : { intra_op: { allow_spinning: '0' } })

/** Weights are not laid out anew for products ... */
const UNPACKED = { disable_prepacking: '1' }
/** ... nor widened to float32 before they are needed, as ONNX Runtime's changes to a program would have it. */
const UNCHANGED = /** @type {const} */ ({ graphOptimizationLevel: 'disabled' })

/** @param {string | undefined} folder of files that hold weights */
const filesIn = (folder) => (folder === undefined ? {} : { model_external_initializers_file_folder_path: folder })

/** @param {Tensor} tensor @returns {FloatTensor} */
function floatTensor({ dims, data }) {
  if (!(data instanceof Float32Array)) throw new Error('an output is not float32')
  return { dtype: 'float32', shape: dims, data }
}

/** Copied sooner than it is moved to another thread (as in client.ts). @param {Float32Array} data */
const isSmall = ({ byteLength }) => byteLength < 1 << 16

/**
 * Posts an answer and moves the memory of its outputs.
 * @param {{ postMessage(message: Answer, transfer?: ArrayBuffer[]): void }} port
 * @param {Answer} message
 */
export function postAnswer(port, message) {
  const outputs = 'outputs' in message ? Object.values(message.outputs) : []
  const moved = outputs.flatMap(({ data }) =>
    !isSmall(data) && data.buffer instanceof ArrayBuffer ? [data.buffer] : [],
  )
  try {
    port.postMessage(message, moved)
  } catch {
    port.postMessage(message) // copies it: a version of ONNX Runtime may keep its memory to itself
  }
}
