import { CoopError, ShapeError } from '../base/errors.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { TrainingSet } from './batches.ts'

/** Features `(n, d)` with their classes. */
export interface LabelledRows {
  readonly x: FloatTensor
  readonly labels: readonly number[]
}

/** A row an image: the mean of its views, for methods that take each image once. */
export function meanViews({ features, labels }: TrainingSet): LabelledRows {
  const [n = 0, views = 0, embed = 0] = features.shape
  const x = floatTensor([n, embed])
  for (let i = 0; i < n; i++) {
    for (let v = 0; v < views; v++) {
      for (let j = 0; j < embed; j++) x.data[i * embed + j]! += features.data[(i * views + v) * embed + j]! / views
    }
  }
  return { x, labels }
}

/**
 * Refuses features or labels that do not fit, and classes without images, of which a classifier of features can learn
 * nothing.
 */
export function checkEachClass({ features, labels }: TrainingSet, classNames: readonly string[], embed: number): void {
  const [images, views = 0, d] = features.shape
  if (features.shape.length !== 3 || images !== labels.length || views < 1 || d !== embed) {
    throw new ShapeError(
      `training features are (${features.shape.join(', ')}), expected (${labels.length} images, views, ${embed})`,
    )
  }
  const strange = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classNames.length)
  if (strange !== undefined) throw new ShapeError(`the label ${strange} is none of the ${classNames.length} classes`)
  if (classNames.length < 2) throw new CoopError('there is one class only', 'a classifier needs two or more classes')
  const seen = new Set(labels)
  const missing = classNames.filter((_, c) => !seen.has(c))
  if (missing.length === 0) return
  const [first = ''] = missing
  throw new CoopError(
    `there is no image to learn ${JSON.stringify(first)} from${missing.length > 1 ? `, nor of ${missing.length - 1} other classes` : ''}`,
    'give each class an image at least, or take a method that needs none: zero-shot',
  )
}
