import { randomFor } from '../base/random.ts'
import { type FloatTensor, floatTensor, type IntTensor, intTensor } from '../graph/tensor.ts'

/** Image features to learn from: one or more augmented views of each image, and the images' classes. */
export interface TrainingSet {
  /** `(images, views, embed)`, of any length. */
  readonly features: FloatTensor
  readonly labels: readonly number[]
}

/** Views of all training images drawn anew for each epoch; where a run has them, they stand for those of its set. */
export interface OnlineViews {
  /** Says which images in which views: same key, same features. */
  readonly key: string
  /** Features of one view of each image, `(images, 1, embed)`, for an epoch counted from 0. */
  features(epoch: number): Promise<FloatTensor>
}

/**
 * The set of each epoch in `from`, ..., `end - 1`: the same one, or with `online` views those of the epoch, which are
 * asked for while the epoch before is trained on.
 */
export async function* epochSets(
  set: TrainingSet,
  online: OnlineViews | undefined,
  from: number,
  end: number,
): AsyncGenerator<{ readonly epoch: number; readonly set: TrainingSet }, void> {
  const begin = (epoch: number) => {
    const features = epoch < end ? online?.features(epoch) : undefined
    // awaited only when its epoch begins; a failure must not count as unhandled until then
    features?.catch(() => undefined)
    return features
  }
  let ahead = begin(from)
  try {
    for (let epoch = from; epoch < end; epoch++) {
      const features = await ahead
      ahead = begin(epoch + 1)
      yield { epoch, set: features === undefined ? set : { features, labels: set.labels } }
    }
  } finally {
    // nothing is under way any more when the caller goes on and frees the encoder
    await ahead?.catch(() => undefined)
  }
}

/** In which order an epoch (counted from 0) goes through `n` images. */
export type BatchOrder = (epoch: number, n: number) => ArrayLike<number>

/** A new random order each epoch; the same seed gives the same orders. */
export const shuffled =
  (seed: number): BatchOrder =>
  (epoch, n) =>
    randomFor('batches', seed, epoch).permutation(n)

/** First to last in every epoch. */
export const inOrder: BatchOrder = (_, n) => Array.from({ length: n }, (_, i) => i)

/** Images of each step of an epoch; what is left over at the end is dropped, unless it is all there is or kept. */
export function batchesOf(order: ArrayLike<number>, batchSize: number, keepLast = false): number[][] {
  const images = Array.from(order)
  const size = Math.min(batchSize, images.length)
  const length = stepsOf(images.length, batchSize, keepLast)
  return Array.from({ length }, (_, i) => images.slice(i * size, (i + 1) * size))
}

/** Steps of one epoch over `n` images. */
export function stepsOf(n: number, batchSize: number, keepLast = false): number {
  if (keepLast) return Math.ceil(n / batchSize)
  return n === 0 ? 0 : Math.max(1, Math.floor(n / batchSize))
}

/**
 * What a step is fed: features `(batch, embed)` and labels. Each image shows its views in turn, one an epoch, and
 * neighbouring images are at different ones.
 */
export function feedsOf(
  { features, labels }: TrainingSet,
  images: readonly number[],
  epoch: number,
): { features: FloatTensor; labels: IntTensor } {
  const [, views = 1, embed = 0] = features.shape
  const batch = floatTensor([images.length, embed])
  for (const [row, image] of images.entries()) {
    const start = (image * views + ((epoch + image) % views)) * embed
    batch.data.set(features.data.subarray(start, start + embed), row * embed)
  }
  return {
    features: batch,
    labels: intTensor(
      [images.length],
      images.map((image) => labels[image] ?? 0),
    ),
  }
}
