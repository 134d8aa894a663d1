import { z } from 'zod'
import { checkArguments, labelled, someTexts, wholeFrom } from '../base/arguments.ts'
import { MANY } from '../base/bounds.ts'
import { countOf } from '../base/count.ts'
import { UsageError } from '../base/errors.ts'
import type { Dataset, Item } from './items.ts'
import { PythonRandom } from './python-random.ts'

interface Labelled {
  readonly label: number
}

/** Training images of each class: up to so many, a class with fewer gives what it has; or all there are. */
export const shotsSchema = z.union([z.int().min(1).max(MANY), z.literal('all')])
/** Training images of each class, or all there are. */
export type Shots = z.output<typeof shotsSchema>

const aPythonSeed = z.union([z.int(), z.bigint()], { error: 'a whole number' })

/** Of a run; 0 where nothing is learned from images. */
export type RunShots = Shots | 0

/** By which shots are sorted: `all` comes after every number. */
export const shotsRank = (shots: RunShots): number => (shots === 'all' ? Number.MAX_SAFE_INTEGER : shots)

/** Images a class that are drawn for validation at most (the paper's number). */
const MAX_VAL_SHOTS = 4

/**
 * The few-shot subset of the published experiments (Dassl's `generate_fewshot_dataset`): Python's `random.seed(seed)`,
 * then class by class in order of first appearance `random.sample(items, shots)`, first of `train`, then of `val` with
 * min(shots, 4). A class with fewer items gives all it has, as there (without `repeat`); `all` draws nothing: each class
 * gives all of both.
 */
export function drawFewShot<T extends Labelled>(
  train: readonly T[],
  val: readonly T[],
  shots: Shots,
  seed: number | bigint,
): { train: T[]; val: T[] } {
  checkArguments('drawFewShot', { train, val, seed }, { train: labelled, val: labelled, seed: aPythonSeed })
  if (shots === 'all') return { train: groupByLabel(train).flat(), val: groupByLabel(val).flat() }
  checkArguments('drawFewShot', { shots }, { shots: wholeFrom(1, MANY) })
  const random = new PythonRandom(seed)
  const draw = (items: readonly T[], k: number) =>
    groupByLabel(items).flatMap((group) => (group.length >= k ? random.sample(group, k) : group))
  const drawnTrain = draw(train, shots)
  const drawnVal = draw(val, Math.min(shots, MAX_VAL_SHOTS))
  return { train: drawnTrain, val: drawnVal }
}

/**
 * What the official code draws of a data set: images to learn from and images to choose settings by. ImageNet's are the
 * test images, all of them (`valIsTest`), as there.
 */
export function drawSubset(
  dataset: Pick<Dataset, 'train' | 'val' | 'valIsTest'>,
  shots: Shots,
  seed: number | bigint,
): { train: readonly Item[]; val: readonly Item[] } {
  const { train, val, valIsTest } = dataset
  if (!valIsTest) return drawFewShot(train, val, shots, seed)
  return { train: drawFewShot(train, [], shots, seed).train, val }
}

/** Throws UsageError where a data set has no training images, or none of a class, which is named. */
export function checkLearnable(dataset: Pick<Dataset, 'classNames' | 'train' | 'root'>): void {
  const { classNames, train } = dataset ?? {}
  checkArguments('checkLearnable', { classNames, train }, { classNames: someTexts, train: labelled })
  if (dataset.train.length === 0) {
    throw new UsageError(
      `${dataset.root} has no training images`,
      'it is for testing only: learn from another data set, then run coop-ts evaluate',
    )
  }
  const counts = countsOf(dataset)
  const without = dataset.classNames.filter((_, label) => counts[label] === 0)
  if (without.length === 0) return
  throw new UsageError(
    `${dataset.root} has no training images of ${firstOf(without.map((name) => `"${name}"`))}`,
    'add an image of each, or leave these classes out',
  )
}

/** Which classes have fewer training images than are drawn of each, in words; undefined where none has. */
export function lackOfImages(
  dataset: Pick<Dataset, 'classNames' | 'train' | 'root'>,
  shots: RunShots,
): string | undefined {
  if (shots === 'all') return undefined
  const counts = countsOf(dataset)
  const short = dataset.classNames.flatMap((name, label) => {
    const count = counts[label] ?? 0
    return count < shots ? [`"${name}" has ${count}`] : []
  })
  if (short.length === 0) return undefined
  const [have, use] = short.length === 1 ? ['has', 'uses all it has'] : ['have', 'use all they have']
  const which = `${short.length} of ${countOf(counts.length, 'class', 'classes')} ${have}`
  return `${dataset.root}: ${which} fewer training images than ${countOf(shots, 'shot')} and ${use}: ${firstOf(short)}`
}

/** As tables and progress lines say it. */
export const shotsText = (shots: RunShots): string => (shots === 'all' ? 'all images' : countOf(shots, 'shot'))

/** Training images of each class. */
function countsOf({ classNames, train }: Pick<Dataset, 'classNames' | 'train'>): number[] {
  const counts = classNames.map(() => 0)
  for (const { label } of train) counts[label]! += 1
  return counts
}

const firstOf = (words: readonly string[]): string =>
  words.slice(0, 5).join(', ') + (words.length > 5 ? `, and ${words.length - 5} more` : '')

/** Items of each label, labels in order of first appearance. */
export function groupByLabel<T extends Labelled>(items: readonly T[]): T[][] {
  const groups = new Map<number, T[]>()
  for (const item of items) {
    const group = groups.get(item.label)
    if (group) group.push(item)
    else groups.set(item.label, [item])
  }
  return [...groups.values()]
}
