// @ts-check
// Runs inside a worker thread: cuts pictures beside the thread that encodes them. Where Node cannot read TypeScript, as in a
// checkout without a loader, it does not start, and pictures are cut on the thread that asks.
import { parentPort } from 'node:worker_threads'
import { prepared } from '../pictures/prepare.ts'

/** @import { Answer, Task } from './picture-pool.ts' */

if (parentPort === null) throw new Error('this file is the body of a worker thread')
const port = parentPort

/** @param {Answer} answer @param {ArrayBuffer[]} [moved] */
const post = (answer, moved) => port.postMessage(answer, moved)

port.on('message', (/** @type {Task} */ { id, image, how, view }) => {
  try {
    const pixels = prepared(image, how, view)
    post({ id, pixels }, pixels.buffer instanceof ArrayBuffer ? [pixels.buffer] : [])
  } catch {
    post({ id }) // the thread that asks meets the same error
  }
})
