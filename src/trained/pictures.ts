import { z } from 'zod'
import { aTensor, checkArguments } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { sha256 } from '../base/sha256.ts'
import { orStopped } from '../base/stop.ts'
import { type ImageEncoder, imageEncoder, isLarge, openTowerEarly } from '../clip/encode.ts'
import type { Precision } from '../clip/precision.ts'
import { trunkWidth } from '../clip/towers/image-tower.ts'
import type { Clip, Towers } from '../clip/types.ts'
import { featuresOf } from '../data/features.ts'
import { exifOf, type FeaturesAbout, type GivenFeatures, givenFrom, type Item } from '../data/items.ts'
import { type OnlineOptions, onlineViews } from '../data/online.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { OnlineViews } from '../learning/batches.ts'
import { someRows as rowsOf } from '../learning/labelled-rows.ts'
import type { Exif, Picture } from '../pictures/picture.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { Views } from '../pictures/views.ts'
import type { Runtime } from '../runtime/types.ts'
import type { PictureReader } from './reader.ts'

/** Pictures that are encoded at a time; a batch that is not full costs as much, and the first waits for all of its pictures. */
const [BATCH, BATCH_OF_LARGE] = [32, 8]

function batchSizeFor({ config }: Towers, { device }: Runtime, pictures: number): number {
  const most = device === 'cpu' && isLarge(config) ? BATCH_OF_LARGE : BATCH
  return Math.max(1, Math.min(most, pictures))
}

/** Opens the image tower of a large model before it is known whether features of the pictures are kept. */
export function expectPictures(clip: Towers, runtime: Runtime, pictures: number): void {
  if (pictures > 0 && isLarge(clip.config)) openTowerEarly(clip, runtime, batchSizeFor(clip, runtime, pictures))
}

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
  /** In what the image tower computes; default: float32. */
  readonly precision?: Precision
}

/** Features of labelled pictures; those that could not be read are left out of all three. */
export interface EncodedItems {
  /** `(items, views, embed)`, not normalised. */
  readonly features: FloatTensor
  /** The same before the image tower's last projection, `(items, views, trunk)`; of features that were given there are none. */
  readonly trunk?: FloatTensor
  readonly items: readonly Item[]
  readonly labels: readonly number[]
  /** Hash that says which pictures these are (by content, in order), their labels, views and encoder. */
  readonly key: string
}

/** Some of the pictures, by their places. */
export function someItems(
  { features, trunk, items, labels, key }: EncodedItems,
  places: readonly number[],
): EncodedItems {
  return {
    features: rowsOf(features, places),
    trunk: trunk && rowsOf(trunk, places),
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
  const most = sets.reduce((most, { items, views }) => Math.max(most, items.length * (views?.count ?? 1)), 0)
  const encoder = imageEncoder(clip, runtime, batchSizeFor(clip, runtime, most), options.precision)
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
  { skipBadImages = false, ...how }: EncodeOptions,
  { onProgress, onWarning, signal }: Omit<Hooks, 'onProgress'> & { onProgress: (p: { done: number }) => void },
): Promise<EncodedItems> {
  const from = givenFrom(items)
  if (from !== undefined) return givenSet(items, from, clip, views !== undefined)
  const encodes = encoding(reader, clip, encoder, items, how)
  const { kept, bad, ...encoded } = await featuresOf(
    items.map(({ path }) => path),
    {
      ...encodes,
      skipBadImages,
      onProgress,
      onWarning,
      signal,
      views,
      cache: reader.cache?.(encodes.encoderKey, encodes.dim),
    },
  )
  for (const { name, reason } of bad)
    onWarning?.(reason.includes(name) ? `left out: ${reason}` : `left out ${name}: ${reason}`)
  const trunk = encoded.features
  const features = await orStopped(projected(clip, encoder, trunk), signal)
  const left = kept.flatMap((i) => items[i] ?? [])
  const labels = left.map(({ label }) => label)
  return { features, trunk, items: left, labels, key: await sha256(JSON.stringify([encoded.key, labels])) }
}

/** Features that were given as they are, where they are of this model. */
async function givenSet(
  items: readonly Item[],
  { file, model }: FeaturesAbout,
  { config: { embedDim }, fingerprint }: Clip,
  inViews: boolean,
): Promise<EncodedItems> {
  if (inViews) throw new UsageError(`${file} has features, of which no augmented views can be made`, 'set views to 0')
  if (model !== undefined && model.fingerprint !== fingerprint) {
    throw new UsageError(
      `the features in ${file} are of another model, ${model.name} with fingerprint ${model.fingerprint.slice(0, 12)}...`,
      `give that model (--model ${model.name}), or make features of this one: coop-ts features`,
    )
  }
  const features = floatTensor([items.length, 1, embedDim])
  const hashes: string[] = []
  for (const [i, { path, given }] of items.entries()) {
    const width = given?.values.length
    if (given === undefined || width !== embedDim) {
      throw new UsageError(
        `the features in ${file} are ${width ?? 0} wide (${path}), but this model's are ${embedDim}`,
        'give the model that they are of (--model): its text features must fit them',
      )
    }
    features.data.set(given.values, i * embedDim)
    hashes.push(await givenHash(given))
  }
  const labels = items.map(({ label }) => label)
  return { features, items, labels, key: await sha256(JSON.stringify(['given', hashes, labels])) }
}

/** Hash of one picture's features, in place of that of its content. */
export const givenHash = ({ values }: GivenFeatures): Promise<string> => sha256(values)

type Encoding = Omit<OnlineOptions, 'seed' | 'memory'>

/** Image features `(images, views, embed)` of trunk features `(images, views, trunk)`. */
async function projected(clip: Clip, { project }: ImageEncoder, { shape, data }: FloatTensor): Promise<FloatTensor> {
  const [images = 0, views = 0] = shape
  return floatTensor([images, views, clip.config.embedDim], await project(data))
}

/** How a model turns pictures into trunk features: what is kept, as all others follow from them. */
function encoding(
  reader: PictureReader,
  { config, fingerprint }: Clip,
  { trunk, precision, batchSize }: ImageEncoder,
  items: readonly Item[],
  { transforms = DEFAULT_TRANSFORMS }: Pick<EncodeOptions, 'transforms'>,
): Encoding {
  const exifs = new Map(items.map((item) => [item.path, exifOf(item)]))
  const exif = (picture: Picture): Exif => (typeof picture === 'string' && exifs.get(picture)) || 'ignore'
  return {
    content: (picture) => reader.content(picture, exif(picture)),
    load: (picture, name) => reader.decode(picture, name, exif(picture)),
    pixels: (picture, name, views) =>
      reader.pixels(picture, name, { config: config.preprocess, transforms, exif: exif(picture) }, views),
    encode: trunk,
    // today's transforms and float32 are not named: features kept before there was a choice are found again
    encoderKey: [
      fingerprint,
      ...(transforms === DEFAULT_TRANSFORMS ? [] : [`transforms ${transforms}`]),
      ...(precision === 'float32' ? [] : [`precision ${precision}`]),
    ].join('\n'),
    dim: trunkWidth(config),
    batchSize,
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
  options: EncodeOptions = {},
): Promise<{ readonly online: OnlineViews; dispose(): Promise<void> }> {
  const encoder = imageEncoder(clip, runtime, batchSizeFor(clip, runtime, items.length), options.precision)
  const paths = items.map(({ path }) => path)
  const how = encoding(reader, clip, encoder, items, options)
  const { key, features: trunk } = await onlineViews(paths, { ...how, seed })
  const features: OnlineViews['features'] = async (epoch) => projected(clip, encoder, await trunk(epoch))
  return { online: { key, features, trunk }, dispose: () => encoder.dispose() }
}

const someRows = z.enum(['features', 'trunk'], { error: 'features or trunk' })

/** Features of one view an image, as a classifier takes them: `(items, embed)`, or `(items, trunk)`. */
export function imageRows(encoded: EncodedItems, takes: z.output<typeof someRows> = 'features'): FloatTensor {
  checkArguments('imageRows', { takes }, { takes: someRows })
  checkArguments('imageRows', { features: encoded?.features }, { features: aTensor })
  const rows = encoded[takes]
  if (rows === undefined) {
    throw new UsageError(
      'features from before the last projection are needed, and only the usual ones were given',
      'give the pictures',
    )
  }
  const { shape, data } = rows
  const [images = 0, , width = 0] = shape
  return floatTensor([images, width], data)
}
