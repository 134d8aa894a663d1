import { checkArguments, labelled } from '../base/arguments.ts'
import { mapBreathing } from '../base/breathe.ts'
import { UsageError } from '../base/errors.ts'
import { randomFor } from '../base/random.ts'
import { groupByLabel } from './fewshot.ts'
import { type Dataset, type Item, OTHERS } from './items.ts'

/** The parts of a data set. */
export const PARTS = ['train', 'val', 'test'] as const
export type Part = (typeof PARTS)[number]

/** What people call the three parts. */
const NAMES: Readonly<Record<string, Part>> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  dev: 'val',
  test: 'test',
  testing: 'test',
}

export const PART_NAMES: readonly string[] = Object.keys(NAMES)

/** Which part a word names, in any case; undefined when none. */
export function partNamed(word: string): Part | undefined {
  const name = word.trim().toLowerCase()
  return Object.hasOwn(NAMES, name) ? NAMES[name] : undefined
}

/** Images of one class; the place of each in a seeded split depends on its `key`. */
export interface ClassImages {
  readonly name: string
  readonly images: readonly { readonly path: string; readonly key: string }[]
}

/** Share of a class's images that is held out for testing, as in the official code. */
export const TEST_SHARE = 0.3

/** Parts that a seed made. */
export type SeededSplit = Pick<Dataset, Part | 'testShare'>

/** The same of pictures of none of the classes; undefined where there are none. */
export async function othersBySeed(
  images: ClassImages['images'],
  seed: number,
  share?: number,
): Promise<Dataset['others']> {
  if (images.length === 0) return undefined
  const { train, test } = await splitBySeed([{ name: OTHERS, images }], seed, share)
  return { train, test }
}

/**
 * A part of each class to test, the rest to train; none to val (`holdOutVal` takes that from train). A class of n images
 * gives round(share n) to test, but at least one and at most n - 1; a single image goes to train. A share of 0 trains on
 * everything, a share of 1 tests on everything. Which image goes where depends on the seed, its class and its own key
 * alone: adding pictures or classes hardly moves the others.
 *
 * @throws UsageError for a share below 0 or above 1
 */
export async function splitBySeed(
  classes: readonly ClassImages[],
  seed: number,
  share: number = TEST_SHARE,
): Promise<SeededSplit> {
  if (!(share >= 0 && share <= 1)) throw new UsageError(`the share of test images must be from 0 to 1, not ${share}`)
  const parts: Record<'train' | 'test', readonly Item[]>[] = []
  for (const [label, { name, images }] of classes.entries()) {
    const rank = (key: string) => randomFor('split', seed, name, key).next()
    const ranked = await mapBreathing(images, ({ path, key }) => ({ path, rank: rank(key) }))
    const items = ranked.sort((a, b) => a.rank - b.rank).map(({ path }): Item => ({ path, label }))
    const trained = items.length - testedOf(items.length, share)
    parts.push({ train: items.slice(0, trained), test: items.slice(trained) })
  }
  return {
    train: parts.flatMap(({ train }) => train),
    val: [],
    test: parts.flatMap(({ test }) => test),
    testShare: share,
  }
}

function testedOf(n: number, share: number): number {
  if (share === 0 || share === 1) return n * share
  return Math.max(0, Math.min(n - 1, Math.max(1, Math.round(share * n))))
}

/**
 * Validation images for a method that chooses by them, of a data set whose split was made by a seed: the last two in
 * seven training images of each class, so that train, val and test are the official code's 5 : 2 : 3. Test images stay
 * what they are, and a class of fewer than four training images gives none. Other data sets have the val that they mark.
 */
export function holdOutVal<D extends Pick<Dataset, 'train' | 'val' | 'testShare'>>(dataset: D): D {
  const { train, val } = dataset ?? {}
  checkArguments('holdOutVal', { train, val }, { train: labelled, val: labelled })
  if (dataset.testShare === undefined) return dataset
  const classes = groupByLabel(dataset.train).map((items) => {
    const trained = items.length - Math.floor((2 * items.length) / 7)
    return { train: items.slice(0, trained), val: items.slice(trained) }
  })
  return {
    ...dataset,
    train: classes.flatMap(({ train }) => train),
    val: classes.flatMap(({ val }) => val),
  }
}
