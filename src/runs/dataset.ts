import { basename, resolve } from 'node:path'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { type Dataset, givenFrom, type Item } from '../data/items.ts'
import { checkImages } from '../datasets/check-images.ts'
import { type OpenOptions, openDataset } from '../datasets/open.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import type { PictureOptions, PictureWays } from './pictures.ts'

/** How the word for a data set is understood. */
export type DataOptions = Pick<OpenOptions, 'root' | 'imageColumn' | 'labelColumn'>

export interface ShareOptions {
  /**
   * Share of each class to test on, where the data set does not mark its test images: 0 learns from everything and measures
   * nothing, 1 tests on everything. Default: train withholds none and measures by cross-validation, evaluateZeroShot tests on
   * everything, evaluateRun on what the run left out.
   */
  readonly testShare?: number
}

/** What options about device, pictures and data are called, for the tables of options that have all of them. */
export const DATA_OPTIONS: Readonly<Record<keyof (RuntimeOptions & PictureWays & DataOptions), true>> = {
  device: true,
  threads: true,
  cache: true,
  skipBadImages: true,
  transforms: true,
  exif: true,
  root: true,
  imageColumn: true,
  labelColumn: true,
}

/** A data set as the options say. `share` is taken where they have none. */
export async function openAsGiven(
  data: string,
  { cache = defaultCacheDir(), ...options }: DataOptions & PictureOptions & ShareOptions,
  hooks: Hooks,
  share?: number,
): Promise<Dataset> {
  const dataset = await openDataset(data, { ...options, cache, testShare: options.testShare ?? share }, hooks)
  checkShareUsed(dataset, data, options)
  return dataset
}

/** The same with some of its images test images. */
export async function openForTesting(...given: Parameters<typeof openAsGiven>): Promise<Dataset> {
  const dataset = await openAsGiven(...given)
  checkTestable(dataset, given[0])
  return dataset
}

/** A data set has no test images. */
export class NoTestImages extends FileError {}

/** Throws FileError for a data set without test images. */
export function checkTestable({ test }: Dataset, data: string): void {
  if (test.length > 0) return
  throw new NoTestImages(
    `${data} has no test images`,
    'put some into test/ beside train/, or test on a share of each class with testShare (--test-share): 0.3, or 1 for all ' +
      'pictures where none of them was learned from; a class with a single picture has none to test on',
  )
}

/** Throws UsageError where a share of test images is asked of a data set that marks its own. */
export function checkShareUsed({ testShare }: Dataset, data: string, asked: ShareOptions): void {
  if (asked.testShare === undefined || testShare !== undefined) return
  throw new UsageError(`${data} says itself which images are for testing`, 'leave out testShare (--test-share)')
}

/** Throws FileError naming images that are not there, before any work; those that may be left out are named later. */
export async function checkThere(
  dataset: Dataset,
  items: readonly Item[],
  { skipBadImages = false }: PictureOptions,
): Promise<void> {
  if (!skipBadImages && givenFrom(items) === undefined) await checkImages(dataset, items)
}

/** What a run is called after: the last part of a path, or the name of a data set of the hub. */
export function shortName(data: string): string {
  const hub = /^hf:([^:@]+)/.exec(data)?.[1]
  return basename(hub ?? resolve(data)).replace(/\.(csv|tsv|jsonl|ndjson|parquet|npy|safetensors)$/i, '')
}
