import { anObject, aSeed, aTensor, checkArguments, wholeFrom, wholes, withMembers } from '../base/arguments.ts'
import { countOf } from '../base/count.ts'
import { CoopError, ShapeError } from '../base/errors.ts'
import { randomFor } from '../base/random.ts'
import { dims, type FloatTensor, floatTensor, type IntTensor, intTensor, type Tensor } from '../graph/tensor.ts'

/** Image features to learn from: one or more augmented views of each image, and the images' classes. */
export interface TrainingSet {
  /** `(images, views, embed)`, of any length. */
  readonly features: FloatTensor
  /** The same before the image tower's last projection, `(images, views, trunk)`, for a method that learns from these. */
  readonly trunk?: FloatTensor
  readonly labels: readonly number[]
}

/** Throws ShapeError or CoopError for features and labels that do not match each other or this number of classes. */
export function checkTrainingSet(set: TrainingSet, classes: number, embed: number): void {
  checkArguments(
    'checkTrainingSet',
    { set, classes, embed, ...set },
    { set: anObject, features: aTensor, labels: wholes, classes: wholeFrom(1), embed: wholeFrom(1) },
  )
  const { features, labels } = set
  const [images, views, d] = dims(features, 3, 'training features')
  if (images !== labels.length || views < 1 || d !== embed) {
    throw new ShapeError(
      `training features have shape (${features.shape.join(', ')}), expected (${labels.length} images, views, ${embed})`,
    )
  }
  if (labels.length === 0) throw new CoopError('there are no images to learn from')
  const strange = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classes)
  if (strange !== undefined)
    throw new ShapeError(`the label ${strange} is outside the ${countOf(classes, 'class', 'classes')}`)
}

/** New views of all training images for each epoch; where a run has them, they replace those of its set. */
export interface OnlineViews {
  /** Says which images in which views: same key, same features. */
  readonly key: string
  /** Features of one view of each image, `(images, 1, embed)`, for an epoch counted from 0. */
  features(epoch: number): Promise<FloatTensor>
  /** The same before the image tower's last projection, `(images, 1, trunk)`. */
  trunk?(epoch: number): Promise<FloatTensor>
}

/** Pictures prepared for the image tower on request. */
export interface PixelSource {
  readonly images: number
  /** `(n, 3, size, size)`, preprocessed, of n of the images in an epoch counted from 0. */
  pixels(images: readonly number[], epoch: number): Promise<FloatTensor>
}

/** What training steps are fed in addition to what is learned. */
export interface Feeds {
  /** How many images there are. */
  readonly images: number
  /** Inputs of one step by name, for some of the images in an epoch counted from 0. */
  of(images: readonly number[], epoch: number): Feed | Promise<Feed>
  /** Awaited when learning ends, well or not. */
  close?(): Promise<void>
}

/** Inputs of one run by name. */
export type Feed = Readonly<Record<string, Tensor>>

const someViews = withMembers('views { key, features } of each epoch', 'key', 'features').optional()
const somePixels = withMembers('a source of pixels { images, pixels }', 'images', 'pixels')

/**
 * `features` `(batch, embed)` and `labels` `(batch)` of a set. Each image shows its views one after another, one per epoch, and
 * neighbouring images are at different ones; or with `online` views, of which there are those of `epochs` epochs, the
 * ones drawn for the epoch.
 */
export function featureFeeds(set: TrainingSet, online?: OnlineViews, epochs = Number.POSITIVE_INFINITY): Feeds {
  checkArguments(
    'featureFeeds',
    { set, ...set, online },
    { set: anObject, features: aTensor, labels: wholes, online: someViews },
  )
  const images = set.labels.length
  if (dims(set.features, 3, 'training features')[0] !== images) {
    throw new ShapeError(
      `there are features of ${countOf(set.features.shape[0] ?? 0, 'image')}, but labels for ${images}`,
    )
  }
  if (online === undefined) return { images, of: (some, epoch) => feedOf(set, some, epoch) }
  const drawn = drawnAhead(online, [images, 1, dims(set.features, 3)[2]], epochs)
  return {
    images,
    of: async (some, epoch) => feedOf({ features: await drawn.at(epoch), labels: set.labels }, some, epoch),
    close: drawn.close,
  }
}

/** `pixels` `(batch, 3, size, size)` and `labels` `(batch)`. Throws ShapeError where there is not a label an image. */
export function pixelFeeds(source: PixelSource, labels: readonly number[]): Feeds {
  checkArguments('pixelFeeds', { source, labels }, { source: somePixels, labels: wholes })
  if (source.images !== labels.length) {
    throw new ShapeError(`there are pixels of ${countOf(source.images, 'image')}, but labels for ${labels.length}`)
  }
  return {
    images: source.images,
    of: async (some, epoch) => ({ pixels: await source.pixels(some, epoch), labels: labelsOf(labels, some) }),
  }
}

/** The features of an epoch; those of the next are drawn while this one is learned from. */
function drawnAhead(online: OnlineViews, shape: readonly number[], epochs: number) {
  const begin = (epoch: number) => {
    const features = online.features(epoch)
    // awaited only when its epoch begins; a failure must not count as unhandled until then
    features.catch(() => undefined)
    return { epoch, features }
  }
  let now: ReturnType<typeof begin> | undefined
  let next: ReturnType<typeof begin> | undefined
  return {
    async at(epoch: number): Promise<FloatTensor> {
      if (now?.epoch !== epoch) {
        now = next?.epoch === epoch ? next : begin(epoch)
        const { shape: found } = await now.features
        if (found.join() !== shape.join()) {
          throw new ShapeError(`views of an epoch have shape (${found.join(', ')}), expected (${shape.join(', ')})`)
        }
        next = epoch + 1 < epochs ? begin(epoch + 1) : undefined
      }
      return now.features
    },
    /** Nothing is running any more when the caller continues and frees the encoder. */
    async close(): Promise<void> {
      for (const drawn of [now, next]) await drawn?.features.catch(() => undefined)
    },
  }
}

function feedOf({ features, labels }: TrainingSet, images: readonly number[], epoch: number) {
  const [, views, embed] = dims(features, 3, 'training features')
  const batch = floatTensor([images.length, embed])
  for (const [row, image] of images.entries()) {
    const start = (image * views + ((epoch + image) % views)) * embed
    batch.data.set(features.data.subarray(start, start + embed), row * embed)
  }
  return { features: batch, labels: labelsOf(labels, images) }
}

function labelsOf(labels: readonly number[], images: readonly number[]): IntTensor {
  return intTensor(
    [images.length],
    images.map((image) => labels[image] ?? 0),
  )
}

/** In which order an epoch (counted from 0) goes through `n` images. */
export type BatchOrder = (epoch: number, n: number) => ArrayLike<number>

/** A new random order each epoch; the same seed gives the same orders. */
export function shuffled(seed: number): BatchOrder {
  checkArguments('shuffled', { seed }, { seed: aSeed })
  return (epoch, n) => randomFor('batches', seed, epoch).permutation(n)
}

/** First to last in every epoch. */
export const inOrder: BatchOrder = (epoch, n) => {
  checkArguments('inOrder', { epoch, n }, { epoch: wholeFrom(0), n: wholeFrom(0) })
  return Array.from({ length: n }, (_, i) => i)
}

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
