import { breathing } from '../base/breathe.ts'
import { CoopError, ShapeError } from '../base/errors.ts'
import { dims, type FloatTensor, floatTensor, sizeOf } from '../graph/tensor.ts'
import { checkTrainingSet, type TrainingSet } from './batches.ts'

/** Features `(n, d)` with their classes. */
export interface LabelledRows {
  readonly x: FloatTensor
  readonly labels: readonly number[]
}

/** A row an image: the mean of its views, for methods that take each image once. */
export async function meanViews({ features, labels }: TrainingSet): Promise<LabelledRows> {
  const [n, views, embed] = dims(features, 3, 'features')
  const x = floatTensor([n, embed])
  await breathing(n, (i) => {
    for (let v = 0; v < views; v++) {
      for (let j = 0; j < embed; j++) x.data[i * embed + j]! += features.data[(i * views + v) * embed + j]! / views
    }
  })
  return { x, labels }
}

/** Some of the images of a set, in the order asked for. Throws ShapeError for an image that is not there. */
export function subsetRows(set: TrainingSet, images: readonly number[]): TrainingSet {
  const { features, trunk, labels } = set
  return {
    features: someRows(features, images),
    trunk: trunk && someRows(trunk, images),
    labels: images.map((i) => labels[i]!),
  }
}

/** Some of the rows `(n, ...)`, in the order asked for. Throws ShapeError for a row that is not there. */
export function someRows({ shape, data }: FloatTensor, rows: readonly number[]): FloatTensor {
  const [n = 0, ...row] = shape
  const size = sizeOf(row)
  const some = floatTensor([rows.length, ...row])
  for (const [at, i] of rows.entries()) {
    if (!Number.isInteger(i) || i < 0 || i >= n) throw new ShapeError(`there is no row ${i} among ${n}`)
    some.data.set(data.subarray(i * size, (i + 1) * size), at * size)
  }
  return some
}

/**
 * Refuses features or labels that do not fit, features that are not numbers, and classes without images, of which a
 * classifier of features can learn nothing.
 */
export function checkEachClass(set: TrainingSet, classNames: readonly string[], embed: number): void {
  checkTrainingSet(set, classNames.length, embed)
  checkFinite(set)
  checkClassCount(classNames)
  const seen = new Set(set.labels)
  const missing = classNames.filter((_, c) => !seen.has(c))
  const [first] = missing
  if (first === undefined) return
  const more = missing.length > 1 ? `, nor of ${missing.length - 1} other classes` : ''
  throw new CoopError(
    `there is no image to learn ${JSON.stringify(first)} from${more}`,
    'give each class an image at least, or take a method that needs none: zero-shot',
  )
}

function checkFinite({ features, labels }: TrainingSet): void {
  const bad = features.data.findIndex((x) => !Number.isFinite(x))
  if (bad < 0) return
  const image = Math.floor((bad * labels.length) / features.data.length)
  throw new CoopError(
    `the features of image ${image + 1} of ${labels.length} are not finite numbers (NaN or infinite)`,
    'compute them again: the picture or the model may be damaged',
  )
}

/** Images of the class that has most; 0 where there are none. */
export function largestClass(labels: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  return [...counts.values()].reduce((a, b) => Math.max(a, b), 0)
}

/** Images of a class in the mean over the classes that have any, rounded up. */
export const meanShots = (labels: readonly number[]): number =>
  Math.ceil(labels.length / Math.max(1, new Set(labels).size))

/** Throws CoopError where there is nothing to tell apart. */
export function checkClassCount(classNames: readonly string[]): void {
  if (classNames.length < 2) throw new CoopError('there is one class only', 'a classifier needs two or more classes')
}
