import { aSeed, checkArguments, wholeFrom, wholes } from '../base/arguments.ts'
import { MANY } from '../base/bounds.ts'
import { randomFor } from '../base/random.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { largestClass } from './labelled-rows.ts'

/** A division of images, by their places in a list: some to learn from, the others to be judged on. */
export interface Fold {
  readonly train: readonly number[]
  readonly held: readonly number[]
}

export interface FoldOptions {
  /** At most; a whole number from 2 up. Fewer where even the largest class has fewer images: each image alone, then. */
  readonly folds: number
  readonly seed: number
}

/**
 * Divides images for cross-validation, class by class: of each class as many images in a fold as in any other, or one more.
 * Every image of a class with two or more is held by exactly one fold, and the others of its class, one at least, are there
 * to learn from; where a class has fewer images than there are folds, each is held alone. The image of a class that
 * has only this one is in every `train` and never held: without it nothing could be learned of its class. `judgedImages` says which
 * are held; where all classes have a single image, there are no folds.
 *
 * @param labels class of each image
 */
export function foldsOf(labels: readonly number[], options: FoldOptions): readonly Fold[] {
  checkArguments('foldsOf', { labels, ...options }, { labels: wholes, folds: wholeFrom(2, MANY), seed: aSeed })
  const { folds: most, seed } = options
  const folds = Math.min(most, largestClass(labels))
  const foldOf = new Array<number>(labels.length).fill(-1)
  let next = 0 // goes on from class to class, so that the folds are of a size
  for (const [label, images] of imagesByClass(labels)) {
    if (images.length < 2) continue
    for (const i of randomFor('folds', seed, label).permutation(images.length)) foldOf[images[i]!] = next++ % folds
  }
  const all = Array.from(labels.keys())
  return Array.from({ length: folds }, (_, fold) => ({
    train: all.filter((i) => foldOf[i] !== fold),
    held: all.filter((i) => foldOf[i] === fold),
  })).filter(({ held }) => held.length > 0)
}

/** Logits of images by classifiers that have not seen them. */
export interface OutOfFold {
  /** The images that some fold holds, by their places in the list, in order. */
  readonly images: readonly number[]
  readonly labels: readonly number[]
  /** `(images, classes)` */
  readonly logits: FloatTensor
}

/** The images that some fold holds, in order. */
export function judgedImages(folds: readonly Fold[]): number[] {
  return folds.flatMap(({ held }) => held).sort((a, b) => a - b)
}

/** Places of the images of each class, classes in order. */
function imagesByClass(labels: readonly number[]): [label: number, images: number[]][] {
  const groups = new Map<number, number[]>()
  for (const [i, label] of labels.entries()) {
    const group = groups.get(label)
    if (group) group.push(i)
    else groups.set(label, [i])
  }
  return [...groups].sort(([a], [b]) => a - b)
}
