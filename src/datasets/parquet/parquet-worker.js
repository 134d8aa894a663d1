// @ts-check
// Runs inside a worker thread: a damaged file can keep the decoder busy for ever, and a thread can be ended. Plain
// JavaScript, because a worker starts from a file that Node reads as it stands.
import { parentPort, workerData } from 'node:worker_threads'
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'

/** @import { Answer, Asked, Bytes, Order } from './decoder.ts' */

if (parentPort === null) throw new Error('this file is the body of a worker thread')
const port = parentPort

/** @type {Int32Array} Shared with the thread that owns this one: counts what has been done. */
const progress = workerData.progress
const goOn = () => Atomics.add(progress, 0, 1)

/** @type {Map<number, { resolve: (bytes: ArrayBuffer) => void, reject: (error: Error) => void }>} */
const waiting = new Map()
let reads = 0

/** @param {number} size @returns {import('hyparquet').AsyncBuffer} The file, read by the other thread. */
const fileOf = (size) => ({
  byteLength: size,
  slice(start, end = size) {
    if (!(start >= 0 && start <= end && end <= size)) throw new Error(`bytes ${start} to ${end} are outside the file`)
    return new Promise((resolve, reject) => {
      waiting.set(reads, { resolve, reject })
      post({ kind: 'read', id: reads++, start, end })
    })
  },
})

/** @type {{ [K in Order['kind']]: (order: Extract<Order, { kind: K }>) => Promise<Asked[K]> }} */
const handlers = {
  async open({ size }) {
    const metadata = await parquetMetadataAsync(fileOf(size), { geoparquet: false })
    const top = parquetSchema(metadata).children
    return { metadata, columns: top.map(({ element, children }) => ({ element, parts: children.map(nameOf) })) }
  },

  async rows({ size, metadata, columns, rows, limit }) {
    const compressors = await loadedCompressors()
    let left = limit
    const bounded = Object.entries(compressors).map(([codec, decompress]) => [
      codec,
      (/** @type {Uint8Array} */ input, /** @type {number} */ length) => {
        left -= Math.max(1, length)
        if (left < 0 || length < 0) throw new Error('it unpacks to more than it states')
        goOn()
        return decompress(input, length)
      },
    ])
    return parquetReadObjects({
      file: fileOf(size),
      metadata,
      columns: [...columns],
      rowStart: 0,
      rowEnd: rows,
      compressors: Object.fromEntries(bounded),
      onPage: goOn,
      utf8: false, // else bytes that are no text are taken for it
    })
  },
}

/** Takes longer than opening a file does, and no damaged one needs it. */
async function loadedCompressors() {
  post({ kind: 'loading' })
  const { compressors } = await import('hyparquet-compressors')
  post({ kind: 'ready' })
  return compressors
}

/** @param {import('hyparquet').SchemaTree} tree */
const nameOf = ({ element }) => element.name

/** Memory that need not be copied. @param {unknown} value @param {Set<ArrayBuffer>} found */
function buffersIn(value, found) {
  if (value instanceof Uint8Array) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer)
  } else if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    for (const inner of Array.isArray(value) ? value : Object.values(value)) buffersIn(inner, found)
  }
  return found
}

/** @param {Answer} message */
function post(message) {
  const moved = message.kind === 'done' && Array.isArray(message.value) ? buffersIn(message.value, new Set()) : []
  try {
    port.postMessage(message, [...moved])
  } catch {
    port.postMessage(message) // copies it: a decompressor may keep its memory to itself
  }
}

/** What damage does to the decoder has no words for people. @param {unknown} error */
function whyOf(error) {
  const isOwn = error instanceof Error && !(error instanceof TypeError || error instanceof RangeError)
  return isOwn ? error.message : 'it is damaged'
}

port.on('message', async (/** @type {Order | Bytes} */ message) => {
  if (message.kind === 'bytes') {
    const read = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.bytes) read?.resolve(message.bytes)
    else read?.reject(new Error(message.error))
    return
  }
  try {
    const value = await (message.kind === 'open' ? handlers.open(message) : handlers.rows(message))
    post({ kind: 'done', value })
  } catch (error) {
    post({ kind: 'failed', why: whyOf(error) })
  }
})
post({ kind: 'ready' })
