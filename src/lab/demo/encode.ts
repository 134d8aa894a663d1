import type { Hooks } from '../../base/progress.ts'
import { type ImageEncoder, imageEncoder } from '../../clip/encode.ts'
import type { Clip } from '../../clip/types.ts'
import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import { preprocess } from '../../pictures/preprocess.ts'
import type { Runtime } from '../../runtime/types.ts'
import type { DemoImage, DemoTask } from './types.ts'

const ENCODER_BATCH = 32

/** A task's pictures as features. */
export interface Encoded {
  readonly task: DemoTask
  readonly train: FloatTensor
  readonly test: FloatTensor
}

/** All tasks' pictures as features, several tasks at the same time. */
export async function encodeTasks(
  clip: Clip,
  runtimes: readonly Runtime[],
  tasks: readonly DemoTask[],
  hooks: Hooks,
  signal: AbortSignal | undefined,
): Promise<Encoded[]> {
  const total = tasks.reduce((sum, { train, test }) => sum + train.length + test.length, 0)
  let done = 0
  const advance = (count: number) => {
    signal?.throwIfAborted()
    done += count
    hooks.onProgress?.({ kind: 'features', done, total })
  }
  return spreadOver(runtimes, tasks, async (task, runtime) => {
    const encoder = imageEncoder(clip, runtime, ENCODER_BATCH)
    const features = (images: readonly DemoImage[]) => encodePictures(clip, encoder, images, advance)
    const encoded = { task, train: await features(task.train), test: await features(task.test) }
    await encoder.dispose()
    return encoded
  })
}

/** Features `(rows, 1, embed)` of some training pictures, with their labels. */
export function subsetOf(
  features: FloatTensor,
  rows: readonly { readonly row: number; readonly label: number }[],
): TrainingSet {
  const [, embed] = dims(features, 2, 'features')
  const chosen = floatTensor([rows.length, 1, embed])
  for (const [i, { row }] of rows.entries())
    chosen.data.set(features.data.subarray(row * embed, (row + 1) * embed), i * embed)
  return { features: chosen, labels: rows.map(({ label }) => label) }
}

/** Features `(images, width)`; the next pictures are rendered while the encoder is at work on these. */
export async function encodePictures(
  clip: Clip,
  encoder: Pick<ImageEncoder, 'encode'>,
  images: readonly Pick<DemoImage, 'render'>[],
  advance: (count: number) => void,
  width = clip.config.embedDim,
): Promise<FloatTensor> {
  const all = floatTensor([images.length, width])
  const pixels = (start: number) =>
    Promise.all(
      images
        .slice(start, start + ENCODER_BATCH)
        .map(async (image) => preprocess(await image.render(), clip.config.preprocess)),
    )
  let next = pixels(0)
  for (let start = 0; start < images.length; start += ENCODER_BATCH) {
    const batch = await next
    const encoding = encoder.encode(batch)
    next = pixels(start + ENCODER_BATCH)
    all.data.set(await encoding, start * width)
    advance(batch.length)
  }
  return all
}

/** Each worker takes the next item as soon as it is done with one; results in the order of the items. */
export async function spreadOver<T, W, R>(
  workers: readonly W[],
  items: readonly T[],
  work: (item: T, worker: W) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>()
  const waiting = items.entries()
  await Promise.all(
    workers.map(async (worker) => {
      for (const [i, item] of waiting) results.set(i, await work(item, worker))
    }),
  )
  return items.flatMap((_, i) => {
    const result = results.get(i)
    return result === undefined ? [] : [result]
  })
}
