import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type DecodeOptions, isPicture, type Picture } from '../pictures/picture.ts'
import { type Preparation, prepared } from '../pictures/prepare.ts'
import type { View } from '../pictures/views.ts'
import { decodeImage } from './image.ts'

/** Threads that read pictures at the same time, beside those that encode them. */
const WORKERS = Math.max(1, Math.min(4, availableParallelism() - 1))
/** Smaller files, and decoded pictures of fewer bytes, are done with sooner than carried to another thread. */
const [FILE_WORTH_CARRYING, IMAGE_WORTH_CARRYING] = [64_000, 900_000]

/** A picture and what is to be made of it, as it crosses to a worker. */
export interface Task {
  readonly id: number
  readonly picture: Picture
  readonly how: Preparation & DecodeOptions
  readonly views: readonly (View | undefined)[]
}

/** What came of it, for each view; nothing where it threw. */
export interface Answer {
  readonly id: number
  readonly pixels?: readonly Float32Array[]
}

interface Member {
  readonly worker: Worker
  readonly waiting: Map<number, (pixels: readonly Float32Array[] | undefined) => void>
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

/**
 * What `prepared` gives for each view of a picture that messages call `name`. A large one is read on another thread, where
 * one can be had: its pixels are of no use here, and to free them means to go through all that this thread holds. Throws as
 * `decodeImage` does.
 */
export async function pixelsBeside(
  picture: Picture,
  name: string,
  how: Preparation & DecodeOptions,
  views: readonly (View | undefined)[],
): Promise<readonly Float32Array[]> {
  const beside = (await isWorthCarrying(picture)) ? await onMember({ id: next++, picture, how, views }) : undefined
  if (beside !== undefined) return beside
  const image = await decodeImage(picture, name, how) // what a worker could not do throws here, in words
  return views.map((view) => prepared(image, how, view))
}

async function isWorthCarrying(picture: Picture): Promise<boolean> {
  if (!isPicture(picture)) return false
  if (typeof picture !== 'string') {
    return picture instanceof Uint8Array
      ? picture.length >= FILE_WORTH_CARRYING
      : picture.data.length >= IMAGE_WORTH_CARRYING
  }
  const { size } = await stat(picture).catch(() => ({ size: 0 }))
  return size >= FILE_WORTH_CARRYING
}

async function onMember(task: Task): Promise<readonly Float32Array[] | undefined> {
  if (alone) return undefined
  members ??= Array.from({ length: WORKERS }, start)
  const member = members.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a))
  const { picture, memory, moved } = carried(task.picture)
  const pixels = await new Promise<readonly Float32Array[] | undefined>((resolve) => {
    member.worker.postMessage({ ...task, picture }, moved)
    member.waiting.set(task.id, resolve)
    member.worker.ref()
  })
  if (memory !== undefined) giveBack(memory)
  return pixels
}

/** A picture as it crosses: bytes without what else is in their memory, decoded ones in memory that both threads see. */
function carried(picture: Picture) {
  if (typeof picture === 'string') return { picture }
  if (picture instanceof Uint8Array) {
    const bytes = new Uint8Array(picture)
    return { picture: bytes, moved: [bytes.buffer] }
  }
  const { width, height } = picture
  const memory = take(picture.data.length)
  const data = new Uint8Array(memory, 0, picture.data.length)
  data.set(picture.data)
  return { picture: { width, height, data }, memory }
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
