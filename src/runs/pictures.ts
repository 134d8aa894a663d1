import { z } from 'zod'
import { aClip, aList, anObject, aRuntime, aTensor, checkArguments, labelled, someHooks } from '../base/arguments.ts'
import type { Hooks } from '../base/progress.ts'
import { type ImageEncoder, imageEncoder } from '../clip/encode.ts'
import type { Clip } from '../clip/types.ts'
import { type FeatureOptions, featuresOf } from '../data/features.ts'
import { exifOf, type Item } from '../data/items.ts'
import { onlineViews } from '../data/online.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { OnlineViews } from '../learning/batches.ts'
import { contentHash, hashOf } from '../node/content-hash.ts'
import { openFeatureCache } from '../node/feature-cache.ts'
import { decodeImage } from '../node/image.ts'
import type { Exif, Picture } from '../pictures/picture.ts'
import { normalize, preprocess } from '../pictures/preprocess.ts'
import { DEFAULT_TRANSFORMS, TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import { augmentedView, type Views } from '../pictures/views.ts'
import type { Runtime } from '../runtime/types.ts'

const BATCH = 32

/** How pictures are read and turned into features. */
export interface PictureOptions {
  /** Folder in which features are kept; without it they are not. */
  readonly cache?: string
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

/** A set of pictures to encode: as for testing, or in `views` augmented views by `seed`. */
export interface PictureSet {
  readonly items: readonly Item[]
  readonly views?: { readonly count: number; readonly seed: number }
}

/**
 * Image features of several sets, computed once and kept in the cache folder. Progress counts all sets as one.
 * Throws FileError naming a picture that cannot be read, or warns and goes on with `skipBadImages`.
 */
export async function encodeSets<const Sets extends readonly PictureSet[]>(
  clip: Clip,
  runtime: Runtime,
  sets: Sets,
  options?: PictureOptions,
  hooks?: Hooks,
): Promise<{ readonly [I in keyof Sets]: EncodedItems }>
export async function encodeSets(
  clip: Clip,
  runtime: Runtime,
  sets: readonly PictureSet[],
  options: PictureOptions = {},
  hooks: Hooks = {},
): Promise<readonly EncodedItems[]> {
  checkArguments(
    'encodeSets',
    { clip, runtime, sets, options, hooks },
    { clip: aClip, runtime: aRuntime, sets: aList, options: anObject, hooks: someHooks },
  )
  const items = sets.map((set) => set?.items)
  checkArguments('encodeSets', { items }, { items: z.array(labelled, { error: 'a list of items for each set' }) })
  const encoder = imageEncoder(clip, runtime, BATCH)
  const total = sets.reduce((sum, { items }) => sum + items.length, 0)
  const encoded: EncodedItems[] = []
  let before = 0
  try {
    for (const set of sets) {
      const onProgress = ({ done }: { done: number }) =>
        total > 0 && hooks.onProgress?.({ kind: 'features', done: before + done, total })
      encoded.push(await encodeSet(clip, encoder, set, options, { ...hooks, onProgress }))
      before += set.items.length
    }
  } finally {
    await encoder.dispose()
  }
  return encoded
}

async function encodeSet(
  clip: Clip,
  encoder: ImageEncoder,
  { items, views }: PictureSet,
  { cache, skipBadImages = false, transforms }: PictureOptions,
  { onProgress, onWarning, signal }: Omit<Hooks, 'onProgress'> & { onProgress: (p: { done: number }) => void },
): Promise<EncodedItems> {
  const how = encoding(clip, encoder, items, transforms)
  const { features, kept, bad, key } = await featuresOf(
    items.map(({ path }) => path),
    {
      ...how,
      skipBadImages,
      onProgress,
      onWarning,
      signal,
      views,
      cache: cache === undefined ? undefined : openFeatureCache(cache, how.encoderKey, how.dim),
    },
  )
  for (const { name, reason } of bad)
    onWarning?.(reason.includes(name) ? `left out: ${reason}` : `left out ${name}: ${reason}`)
  const left = kept.flatMap((i) => items[i] ?? [])
  const labels = left.map(({ label }) => label)
  return { features, items: left, labels, key: hashOf(JSON.stringify([key, labels])) }
}

type Encoding = Pick<FeatureOptions, 'content' | 'load' | 'prepare' | 'encode' | 'encoderKey' | 'dim' | 'batchSize'>

/** How a model turns pictures into features. */
function encoding(
  { config: { preprocess: config, embedDim }, fingerprint }: Clip,
  { encode }: ImageEncoder,
  items: readonly Item[],
  transforms: Transforms = DEFAULT_TRANSFORMS,
): Encoding {
  const exifs = new Map(items.map((item) => [item.path, exifOf(item)]))
  const exif = (picture: Picture) => (typeof picture === 'string' ? exifs.get(picture) : undefined)
  return {
    content: (picture) => contentHash(picture, exif(picture)),
    load: (picture, name) => decodeImage(picture, name, { exif: exif(picture) }),
    prepare: (image, view) =>
      view === undefined
        ? preprocess(image, config, TRANSFORMS[transforms].test)
        : normalize(augmentedView(image, config.size, view, transforms), config),
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
  clip: Clip,
  runtime: Runtime,
  items: readonly Item[],
  seed: number,
  { transforms }: PictureOptions = {},
): Promise<{ readonly online: OnlineViews; dispose(): Promise<void> }> {
  const encoder = imageEncoder(clip, runtime, BATCH)
  const paths = items.map(({ path }) => path)
  const online = await onlineViews(paths, { ...encoding(clip, encoder, items, transforms), seed })
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
