import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import type { LabelledRows } from '../../learning/labelled-rows.ts'
import { normaliseRows } from '../../learning/vectors.ts'

/** The mean of each class's features, all taken with length 1: `(classes, d)`, of length 1 again. */
export function classMeans({ x, labels }: LabelledRows, classes: number): FloatTensor {
  const [, d] = dims(x, 2)
  const rows = normaliseRows(x)
  const sums = floatTensor([classes, d])
  for (const [i, label] of labels.entries()) {
    for (let j = 0; j < d; j++) sums.data[label * d + j]! += rows.data[i * d + j]!
  }
  return normaliseRows(sums) // the mean has the direction of the sum
}
