import { aTensor, checkArguments } from '../base/arguments.ts'
import type { Hooks } from '../base/progress.ts'
import { sha256 } from '../base/sha256.ts'
import { type ImageEncoder, imageEncoder } from '../clip/encode.ts'
import type { Clip } from '../clip/types.ts'
import { type FeatureOptions, featuresOf } from '../data/features.ts'
import { exifOf, type Item } from '../data/items.ts'
import { onlineViews } from '../data/online.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { OnlineViews } from '../learning/batches.ts'
import { someRows } from '../learning/labelled-rows.ts'
import type { Exif, Picture } from '../pictures/picture.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { Views } from '../pictures/views.ts'
import type { Runtime } from '../runtime/types.ts'
import type { PictureReader } from './reader.ts'

const BATCH = 32

/** How pictures are turned into features. */
export interface EncodeOptions {
  /** Leave out pictures that cannot be read, with a warning, instead of throwing. */
  readonly skipBadImages?: boolean
  /** How pictures are cut, for training and for testing; default: as the official code does today. */
  readonly transforms?: Transforms
  /**
   * Whether pictures are turned as their EXIF orientation says. Default: those of one's own folders, lists and parquet files
   * are, those of the paper's data sets are not (as in the official code); for a finished run, as in its training.
   */
  readonly exif?: Exif
}

/** Features of labelled pictures; those that could not be read are left out of all three. */
export interface EncodedItems {
  /** `(items, views, embed)`, not normalised. */
  readonly features: FloatTensor
  readonly items: readonly Item[]
  readonly labels: readonly number[]
  /** Hash that says which pictures these are (by content, in order), their labels, views and encoder. */
  readonly key: string
}

/** Some of the pictures, by their places. */
export function someItems({ features, items, labels, key }: EncodedItems, places: readonly number[]): EncodedItems {
  return {
    features: someRows(features, places),
    items: places.map((i) => items[i]!),
    labels: places.map((i) => labels[i]!),
    key: `${key} ${places.join()}`,
  }
}

/** A set of pictures to encode: as for testing, or in `views` augmented views by `seed`. */
export interface PictureSet {
  readonly items: readonly Item[]
  readonly views?: { readonly count: number; readonly seed: number }
}

/** Image features of several sets, computed once for each content. Progress counts all sets as one. */
export async function encodeSets<const Sets extends readonly PictureSet[]>(
  reader: PictureReader,
  clip: Clip,
  runtime: Runtime,
  sets: Sets,
  options?: EncodeOptions,
  hooks?: Hooks,
): Promise<{ readonly [I in keyof Sets]: EncodedItems }>
export async function encodeSets(
  reader: PictureReader,
  clip: Clip,
  runtime: Runtime,
  sets: readonly PictureSet[],
  options: EncodeOptions = {},
  hooks: Hooks = {},
): Promise<readonly EncodedItems[]> {
  const encoder = imageEncoder(clip, runtime, BATCH)
  const total = sets.reduce((sum, { items }) => sum + items.length, 0)
  const encoded: EncodedItems[] = []
  let before = 0
  try {
    for (const set of sets) {
      const onProgress = ({ done }: { done: number }) =>
        total > 0 && hooks.onProgress?.({ kind: 'features', done: before + done, total })
      encoded.push(await encodeSet(reader, clip, encoder, set, options, { ...hooks, onProgress }))
      before += set.items.length
    }
  } finally {
    await encoder.dispose()
  }
  return encoded
}

async function encodeSet(
  reader: PictureReader,
  clip: Clip,
  encoder: ImageEncoder,
  { items, views }: PictureSet,
  { skipBadImages = false, transforms }: EncodeOptions,
  { onProgress, onWarning, signal }: Omit<Hooks, 'onProgress'> & { onProgress: (p: { done: number }) => void },
): Promise<EncodedItems> {
  const how = encoding(reader, clip, encoder, items, transforms)
  const { features, kept, bad, key } = await featuresOf(
    items.map(({ path }) => path),
    {
      ...how,
      skipBadImages,
      onProgress,
      onWarning,
      signal,
      views,
      cache: reader.cache?.(how.encoderKey, how.dim),
    },
  )
  for (const { name, reason } of bad)
    onWarning?.(reason.includes(name) ? `left out: ${reason}` : `left out ${name}: ${reason}`)
  const left = kept.flatMap((i) => items[i] ?? [])
  const labels = left.map(({ label }) => label)
  return { features, items: left, labels, key: await sha256(JSON.stringify([key, labels])) }
}

type Encoding = Pick<FeatureOptions, 'content' | 'load' | 'prepare' | 'encode' | 'encoderKey' | 'dim' | 'batchSize'>

/** How a model turns pictures into features. */
function encoding(
  reader: PictureReader,
  { config: { preprocess: config, embedDim }, fingerprint }: Clip,
  { encode }: ImageEncoder,
  items: readonly Item[],
  transforms: Transforms = DEFAULT_TRANSFORMS,
): Encoding {
  const exifs = new Map(items.map((item) => [item.path, exifOf(item)]))
  const exif = (picture: Picture): Exif => (typeof picture === 'string' && exifs.get(picture)) || 'ignore'
  return {
    content: (picture) => reader.content(picture, exif(picture)),
    load: (picture, name) => reader.decode(picture, name, exif(picture)),
    prepare: (image, view) => reader.prepare(image, { config, transforms }, view),
    encode,
    // today's transforms are not named: features kept before there was a choice are found again
    encoderKey: transforms === DEFAULT_TRANSFORMS ? fingerprint : `${fingerprint}\ntransforms ${transforms}`,
    dim: embedDim,
    batchSize: BATCH,
  }
}

/**
 * The fixed views of a set; with `online` views the images as for testing, for whatever does not learn in epochs.
 */
export function pictureSet(items: readonly Item[], views: Views, seed: number): PictureSet {
  return views === 0 || views === 'online' ? { items } : { items, views: { count: views, seed } }
}

/** New views for each epoch, of pictures that are known to be good. */
export async function openOnlineViews(
  reader: PictureReader,
  clip: Clip,
  runtime: Runtime,
  items: readonly Item[],
  seed: number,
  { transforms }: EncodeOptions = {},
): Promise<{ readonly online: OnlineViews; dispose(): Promise<void> }> {
  const encoder = imageEncoder(clip, runtime, BATCH)
  const paths = items.map(({ path }) => path)
  const online = await onlineViews(paths, { ...encoding(reader, clip, encoder, items, transforms), seed })
  return { online, dispose: () => encoder.dispose() }
}

/** Features of one view an image, as a classifier takes them: `(items, embed)`. */
export function imageRows(encoded: EncodedItems): FloatTensor {
  const features = encoded?.features
  checkArguments('imageRows', { features }, { features: aTensor })
  const { shape, data } = features
  const [images = 0, , embed = 0] = shape
  return floatTensor([images, embed], data)
}
