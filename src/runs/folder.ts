import { basename, resolve } from 'node:path'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { distinctNames } from '../data/class-places.ts'
import type { Dataset, Item } from '../data/items.ts'
import { checkImages } from '../datasets/check-images.ts'
import { type OpenOptions, openDataset } from '../datasets/open.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { accuracyOf } from '../learning/classifier.ts'
import { argmaxRows } from '../learning/vectors.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { withModel } from './model.ts'
import { type EncodedItems, encodeSets, imageRows, type PictureOptions } from './pictures.ts'

/** Share of right answers, fractions of 1, in all and by class name. */
export interface FolderAccuracy {
  readonly accuracy: number
  /** How the pictures were cut. */
  readonly transforms: Transforms
  readonly perClass: Readonly<Record<string, number>>
}

export interface FolderOptions extends RuntimeOptions, PictureOptions, DataOptions {
  /** A word for the CLIP, as --model takes it. */
  readonly model: string
}

/** How the word for a data set is understood. */
export type DataOptions = Pick<OpenOptions, 'root' | 'imageColumn' | 'labelColumn'>

/** Accuracy of hand-written prompts, by default the data set's own, on its test images. */
export async function zeroShotOnFolder(
  data: string,
  options: FolderOptions & { readonly templates?: readonly string[] },
  hooks: Hooks,
): Promise<FolderAccuracy> {
  const dataset = await openForTesting(data, options, hooks)
  const { classNames, test } = dataset
  await checkThere(dataset, test, options)
  const templates = options.templates ?? dataset.templates ?? DEFAULT_TEMPLATES
  return withModel(options.model, options, hooks, async (clip, runtime) => {
    const classifier = await zeroShotClassifier(clip, runtime, classNames, templates)
    const [images] = await encodeSets(clip, runtime, [{ items: test }], options, hooks)
    return accuracyFrom(classNames, classifier.logits(imageRows(images)), images, options.transforms)
  })
}

/** A data set, some of its images test images. */
export async function openForTesting(
  data: string,
  { root, imageColumn, labelColumn, cache = defaultCacheDir(), skipBadImages = false }: DataOptions & PictureOptions,
  hooks: Hooks,
): Promise<Dataset> {
  const options = {
    cache,
    skipBadImages,
    ...(root !== undefined && { root }),
    ...(imageColumn !== undefined && { imageColumn }),
    ...(labelColumn !== undefined && { labelColumn }),
  }
  const dataset = await openDataset(data, options, hooks)
  if (dataset.test.length > 0) return dataset
  throw new FileError(`${data} has no test images`, 'add images: a class has test images from its second image on')
}

/** Throws FileError naming images that are not there, before any work; those that may be left out are named later. */
export async function checkThere(
  dataset: Dataset,
  items: readonly Item[],
  { skipBadImages = false }: PictureOptions,
): Promise<void> {
  if (!skipBadImages) await checkImages(dataset, items)
}

/** What a run is called after: the last part of a path, or the name of a data set of the hub. */
export function shortName(data: string): string {
  const hub = /^hf:([^:@]+)/.exec(data)?.[1]
  return basename(hub ?? resolve(data)).replace(/\.(csv|tsv|jsonl|ndjson|parquet)$/i, '')
}

/** Shares of right answers from logits `(images, classes)`. */
export function accuracyFrom(
  classNames: readonly string[],
  logits: FloatTensor,
  { labels }: Pick<EncodedItems, 'labels'>,
  transforms: Transforms = DEFAULT_TRANSFORMS,
): FolderAccuracy {
  const found = accuracyOf({ classNames }, argmaxRows(logits), labels)
  const perClass = distinctNames(classNames).flatMap((name, c) => {
    const share = found.perClass[c] ?? Number.NaN
    return Number.isNaN(share) ? [] : [[name, share] as const]
  })
  return { accuracy: found.accuracy, transforms, perClass: Object.fromEntries(perClass) }
}

/** The first few of many names. */
export function some(names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? `, and ${names.length - MAX_NAMES} more` : ''
  return names.slice(0, MAX_NAMES).join(', ') + more
}

const MAX_NAMES = 8
