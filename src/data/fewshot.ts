import { aList, anObject, checkArguments, wholeFrom } from '../base/arguments.ts'
import { countOf } from '../base/count.ts'
import { UsageError } from '../base/errors.ts'
import type { Dataset, Item } from './items.ts'
import { PythonRandom } from './python-random.ts'

interface Labelled {
  readonly label: number
}

/** Images a class that are drawn for validation at most (the paper's number). */
const MAX_VAL_SHOTS = 4

/**
 * The few-shot subset of the published experiments (Dassl's `generate_fewshot_dataset`): Python's `random.seed(seed)`,
 * then class by class in order of first appearance `random.sample(items, shots)`, first of `train`, then of `val` with
 * min(shots, 4). A class with fewer items gives all it has; `checkShots` refuses that beforehand.
 */
export function drawFewShot<T extends Labelled>(
  train: readonly T[],
  val: readonly T[],
  shots: number,
  seed: number | bigint,
): { train: T[]; val: T[] } {
  checkArguments('drawFewShot', { train, val }, { train: aList, val: aList })
  if (!Number.isInteger(shots) || shots < 1) {
    throw new UsageError(`the number of shots must be a whole number from 1 up, not ${shots}`)
  }
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
  shots: number,
  seed: number | bigint,
): { train: readonly Item[]; val: readonly Item[] } {
  const { train, val, valIsTest } = dataset
  if (!valIsTest) return drawFewShot(train, val, shots, seed)
  return { train: drawFewShot(train, [], shots, seed).train, val }
}

/** Throws UsageError, naming classes and counts, when some class has fewer than `shots` training images. */
export function checkShots(dataset: Pick<Dataset, 'classNames' | 'train' | 'root'>, shots: number): void {
  checkArguments('checkShots', { dataset, shots }, { dataset: anObject, shots: wholeFrom(1) })
  const lack = lackOfImages(dataset, shots)
  if (lack === undefined) return
  throw new UsageError(
    lack.message,
    `use at most ${countOf(lack.least, 'shot')} (--shots), or add images to these classes`,
  )
}

/** Which classes have fewer than `shots` training images, in words, and the fewest of all; undefined where none has. */
export function lackOfImages(
  dataset: Pick<Dataset, 'classNames' | 'train' | 'root'>,
  shots: number,
): { readonly message: string; readonly least: number } | undefined {
  if (dataset.train.length === 0) {
    throw new UsageError(
      `${dataset.root} has no training images`,
      'it is for testing only: learn from another data set, then run coop-ts evaluate',
    )
  }
  const counts = dataset.classNames.map(() => 0)
  for (const { label } of dataset.train) counts[label]! += 1
  const short = dataset.classNames
    .map((name, label) => ({ name, count: counts[label]! }))
    .filter(({ count }) => count < shots)
  if (short.length === 0) return undefined
  const named = short.slice(0, 5).map(({ name, count }) => `"${name}" has ${count}`)
  const more = short.length > 5 ? `, and ${short.length - 5} more` : ''
  const message =
    `${dataset.root}: fewer training images than ${countOf(shots, 'shot')} in ${short.length} of ${countOf(counts.length, 'class', 'classes')}: ` +
    `${named.join(', ')}${more}`
  return { message, least: Math.min(...counts) }
}

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
