// @ts-check
// Runs inside a worker thread: reads pictures beside the thread that encodes them. Where Node cannot read TypeScript, as in a
// checkout without a loader, it does not start, and pictures are read on the thread that asks.
import { parentPort } from 'node:worker_threads'
import { prepared } from '../pictures/prepare.ts'
import { decodeImage } from './image.ts'

/** @import { Answer, Task } from './picture-pool.ts' */

if (parentPort === null) throw new Error('this file is the body of a worker thread')
const port = parentPort

/** @param {Answer} answer @param {ArrayBuffer[]} [moved] */
const post = (answer, moved) => port.postMessage(answer, moved)

port.on('message', async (/** @type {Task} */ { id, picture, how, views }) => {
  try {
    const image = await decodeImage(picture, undefined, how)
    const pixels = views.map((view) => prepared(image, how, view))
    post(
      { id, pixels },
      pixels.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : [])),
    )
  } catch {
    post({ id }) // the thread that asks meets the same error
  }
})
