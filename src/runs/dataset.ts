import { basename, resolve } from 'node:path'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { Dataset, Item } from '../data/items.ts'
import { checkImages } from '../datasets/check-images.ts'
import { type OpenOptions, openDataset } from '../datasets/open.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import type { PictureOptions } from './pictures.ts'

/** How the word for a data set is understood. */
export type DataOptions = Pick<OpenOptions, 'root' | 'imageColumn' | 'labelColumn'>

/** A data set, some of its images test images. */
export async function openForTesting(
  data: string,
  { cache = defaultCacheDir(), ...options }: DataOptions & PictureOptions,
  hooks: Hooks,
): Promise<Dataset> {
  const dataset = await openDataset(data, { ...options, cache }, hooks)
  checkTestable(dataset, data)
  return dataset
}

/** Throws FileError for a data set without test images. */
export function checkTestable({ test }: Dataset, data: string): void {
  if (test.length > 0) return
  throw new FileError(
    `${data} has no test images`,
    'add images: a class needs at least two images to have a test image',
  )
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

/** The first few of many names. */
export function some(names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? `, and ${names.length - MAX_NAMES} more` : ''
  return names.slice(0, MAX_NAMES).join(', ') + more
}

const MAX_NAMES = 8
