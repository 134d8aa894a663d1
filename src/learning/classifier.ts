import { DivergedError, ShapeError } from '../base/errors.ts'
import type { Clip } from '../clip/types.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { logitFactor } from './logits.ts'
import { argmaxRows, normaliseRows, rowProducts, softmaxRows } from './vectors.ts'

/** Text features of classes, ready to be compared with image features. */
export interface Classifier {
  readonly classNames: readonly string[]
  /** `(classes, embed)`, of length 1. */
  readonly textFeatures: FloatTensor
  /** exp(logit_scale) cos(image, text): image features `(n, embed)` of any length -> `(n, classes)`. */
  logits(features: FloatTensor): FloatTensor
  /** Probability of each class: image features `(n, embed)` of any length -> `(n, classes)`. */
  classify(features: FloatTensor): FloatTensor
  /** The most probable class of each image. */
  predict(features: FloatTensor): number[]
}

/**
 * A classifier from text features `(classes, embed)` of length 1. Throws DivergedError where they are not finite, as
 * those of a prompt learned at too high a rate.
 */
export function classifierOf(clip: Clip, classNames: readonly string[], textFeatures: FloatTensor): Classifier {
  const { embedDim } = clip.config
  if (!textFeatures.data.every(Number.isFinite)) {
    throw new DivergedError(
      'the text features of the prompts are not finite numbers',
      'learn the prompt again at a smaller learning rate; the weights of the model may also be damaged',
    )
  }
  const factor = logitFactor(clip)
  const logits = (features: FloatTensor) => {
    if (features.shape.length !== 2 || features.shape[1] !== embedDim) {
      throw new ShapeError(`image features are (n, ${embedDim}) for this model, not (${features.shape.join(', ')})`)
    }
    return rowProducts(normaliseRows(features), textFeatures, factor)
  }
  return {
    classNames,
    textFeatures,
    logits,
    classify: (features) => softmaxRows(logits(features)),
    predict: (features) => argmaxRows(logits(features)),
  }
}

/** Share of images whose most probable class is theirs, a fraction of 1, in all and by class (NaN without images). */
export function accuracyOf(
  { classNames }: Pick<Classifier, 'classNames'>,
  predicted: readonly number[],
  labels: readonly number[],
): { accuracy: number; perClass: number[] } {
  const right = classNames.map(() => 0)
  const total = classNames.map(() => 0)
  for (const [i, label] of labels.entries()) {
    total[label]! += 1
    if (predicted[i] === label) right[label]! += 1
  }
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0)
  return { accuracy: sum(right) / sum(total), perClass: right.map((count, c) => count / total[c]!) }
}
