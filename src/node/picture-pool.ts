import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { RgbImage } from '../clip/types.ts'
import { type Preparation, prepared } from '../pictures/prepare.ts'
import type { View } from '../pictures/views.ts'

/** Threads that cut pictures at the same time, beside those that encode them. */
const WORKERS = Math.max(1, Math.min(4, availableParallelism() - 1))
/** Smaller pictures are cut sooner than they are carried to another thread. */
const WORTH_CARRYING = 300_000

/** A picture to cut, as it crosses to a worker. */
export interface Task {
  readonly id: number
  readonly image: RgbImage
  readonly how: Preparation
  readonly view: View | undefined
}

/** What came of it; nothing where it threw. */
export interface Answer {
  readonly id: number
  readonly pixels?: Float32Array
}

interface Member {
  readonly worker: Worker
  readonly waiting: Map<number, (pixels: Float32Array | undefined) => void>
}

/** Memory that both threads see, and that later pictures take again: new memory takes longer to get than to fill. */
const free: SharedArrayBuffer[] = []
/** How much of it is kept: so many pieces of at most so many bytes. */
const [KEPT, KEPT_BYTES] = [8, 1 << 24]

function take(bytes: number): SharedArrayBuffer {
  const at = free.findIndex(({ byteLength }) => byteLength >= bytes)
  return free.splice(at, at < 0 ? 0 : 1)[0] ?? new SharedArrayBuffer(bytes)
}

function giveBack(memory: SharedArrayBuffer): void {
  if (memory.byteLength > KEPT_BYTES) return
  free.push(memory)
  if (free.length > KEPT) free.shift()
}

let members: Member[] | undefined
/** Workers cannot be started here. */
let alone = false
let next = 0

/** What `prepared` gives, of large pictures on another thread, where one can be had. Throws as it does. */
export async function preparedBeside(image: RgbImage, how: Preparation, view?: View): Promise<Float32Array> {
  const isLarge = image.width * image.height >= WORTH_CARRYING
  return (isLarge ? await onMember({ id: next++, image, how, view }) : undefined) ?? prepared(image, how, view)
}

async function onMember(task: Task): Promise<Float32Array | undefined> {
  if (alone) return undefined
  members ??= Array.from({ length: WORKERS }, start)
  const member = members.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a))
  const { image } = task
  const memory = take(image.data.length)
  const data = new Uint8Array(memory, 0, image.data.length)
  data.set(image.data)
  const pixels = await new Promise<Float32Array | undefined>((resolve) => {
    member.waiting.set(task.id, resolve)
    member.worker.ref()
    member.worker.postMessage({ ...task, image: { ...image, data } })
  })
  giveBack(memory)
  return pixels
}

/** A worker; an idle one does not keep the process alive. */
function start(): Member {
  const worker = new Worker(new URL('picture-worker.js', import.meta.url))
  const waiting: Member['waiting'] = new Map()
  worker.unref()
  worker.on('message', ({ id, pixels }: Answer) => {
    waiting.get(id)?.(pixels)
    waiting.delete(id)
    if (waiting.size === 0) worker.unref()
  })
  worker.on('error', () => {
    alone = true
    for (const resolve of waiting.values()) resolve(undefined)
    waiting.clear()
  })
  return { worker, waiting }
}
