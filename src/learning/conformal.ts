import { checkArguments, numbers, wholes } from '../base/arguments.ts'
import { breathing } from '../base/breathe.ts'
import { UsageError } from '../base/errors.ts'
import { dims, type FloatTensor } from '../graph/tensor.ts'

/** Probability of the label in each row `(n, classes)`. */
export function labelProbabilities(probabilities: FloatTensor, labels: readonly number[]): number[] {
  const [, classes] = dims(probabilities, 2, 'probabilities')
  return labels.map((label, i) => probabilities.data[i * classes + label]!)
}

/**
 * The least probability with which a class is in the set of an image, such that the sets of new images of the same kind
 * hold the right class for a share `coverage` of them at least, however good the probabilities are (split conformal
 * prediction; Sadinle, Lei, Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels", JASA 2019):
 *
 *     s_i = 1 - p_i(label_i),   q = the ceil((n + 1) coverage)-th smallest of the n s_i,   p >= 1 - q
 *
 * 0, all classes, where n images are too few to say it: ceil((n + 1) coverage) > n.
 *
 * @param truths probabilities that images gave their labels, by a classifier that had not seen them
 * @param coverage above 0 and below 1
 */
export function conformalThreshold(truths: readonly number[], coverage: number): number {
  checkArguments('conformalThreshold', { truths }, { truths: numbers })
  if (!(coverage > 0 && coverage < 1))
    throw new UsageError(
      `conformalThreshold: the coverage must be above 0 and below 1, not ${coverage}`,
      'give a share such as 0.9',
    )
  // 20 * 0.95 is 19, whatever its last digits
  const rank = Math.ceil((truths.length + 1) * coverage - 1e-9)
  return rank > truths.length ? 0 : [...truths].sort((a, b) => b - a)[rank - 1]!
}

/** Sets of classes, and how often they hold the label. */
export interface Coverage {
  /** Share of the images whose set holds their label. */
  readonly reached: number
  /** Classes in a set, in the mean. */
  readonly meanSize: number
}

/**
 * What sets of classes are worth on images: the classes of at least so much probability, and the most probable one in
 * any case.
 *
 * @param probabilities `(images, classes)`, of one image at least
 * @param threshold of each image
 */
export async function coverageOf(
  probabilities: FloatTensor,
  labels: readonly number[],
  threshold: (image: number) => number,
): Promise<Coverage> {
  checkArguments('coverageOf', { labels }, { labels: wholes })
  const [n, classes] = dims(probabilities, 2, 'probabilities')
  let [held, sizes] = [0, 0]
  await breathing(n, (i) => {
    const row = probabilities.data.subarray(i * classes, (i + 1) * classes)
    const most = row.reduce((a, b) => Math.max(a, b))
    const least = Math.min(threshold(i), most)
    if (row[labels[i]!]! >= least) held++
    for (const p of row) if (p >= least) sizes++
  })
  return { reached: held / n, meanSize: sizes / n }
}
