import { basename, resolve } from 'node:path'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { KNOWN_MODELS, parametersOf } from '../clip/known-models.ts'
import type { Dataset, Item } from '../data/items.ts'
import { checkImages } from '../datasets/check-images.ts'
import { type OpenOptions, openDataset } from '../datasets/open.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { BUNDLED } from '../node/package.ts'
import type { PictureOptions } from './pictures.ts'

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

/** A data set, some of its images test images. `share` is taken where the options have none. */
export async function openForTesting(
  data: string,
  { cache = defaultCacheDir(), ...options }: DataOptions & PictureOptions & ShareOptions,
  hooks: Hooks,
  share?: number,
): Promise<Dataset> {
  const dataset = await openDataset(data, { ...options, cache, testShare: options.testShare ?? share }, hooks)
  checkShareUsed(dataset, data, options)
  checkTestable(dataset, data)
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

/** Warns where the bundled model, which was trained on drawings, is given photographs. */
export function warnOfPhotographs(model: string, items: readonly Item[], { onWarning }: Hooks): void {
  const photographs = items.filter(({ path }) => PHOTOGRAPH.test(path)).length
  if (model !== BUNDLED || photographs <= items.length / 2) return
  const known = KNOWN_MODELS.find(({ id }) => id === PHOTOGRAPH_MODEL)
  const size = known ? `, ${Math.round((4 * parametersOf(known.config)) / 1e6)} MB to download once` : ''
  onWarning?.(
    'the bundled model knows drawings only, and most of these pictures look like photographs: take one that knows them, ' +
      `such as --model ${PHOTOGRAPH_MODEL} (OpenAI's ViT-B/32${size})`,
  )
}

const PHOTOGRAPH_MODEL = 'openai/clip-vit-base-patch32'
/** Files that cameras and phones write, and the web shows photographs as; drawings are more often PNG or GIF. */
const PHOTOGRAPH = /\.(jpe?g|hei[cf]|webp|avif)$/i

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
