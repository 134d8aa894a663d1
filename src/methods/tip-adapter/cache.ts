import type { Clip } from '../../clip/types.ts'
import {
  add,
  exp,
  type FloatTensor,
  floatTensor,
  Graph,
  l2Normalise,
  matmul,
  type Program,
  scale,
  sub,
} from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'
import { argmaxRows, normaliseRows, rowProducts } from '../../learning/vectors.ts'

/** Features of training images, against which images are compared, and the class of each. */
export interface Cache {
  /** `(images, embed)`, of length 1 unless fine-tuned. */
  readonly keys: FloatTensor
  readonly labels: readonly number[]
}

/** How much the cache counts, and how sharply it tells near from far. */
export interface Weighting {
  readonly alpha: number
  readonly beta: number
}

/**
 * What the cache says of images: the sum of exp(-beta (1 - x . key)) over the keys of each class, x of length 1.
 *
 * @param affinities x . key, `(n, images)`
 * @returns `(n, classes)`
 */
export function cacheLogits(
  affinities: FloatTensor,
  labels: readonly number[],
  classes: number,
  beta: number,
): FloatTensor {
  const [n = 0, images = 0] = affinities.shape
  const logits = floatTensor([n, classes])
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < images; k++) {
      logits.data[i * classes + labels[k]!]! += Math.exp(beta * (affinities.data[i * images + k]! - 1))
    }
  }
  return logits
}

/** x . key of images `(n, embed)` of any length. */
export function affinitiesOf(features: FloatTensor, keys: FloatTensor): FloatTensor {
  return rowProducts(normaliseRows(features), keys)
}

/** CLIP's logits plus alpha times the cache's. */
export function withCache(clipLogits: FloatTensor, fromCache: FloatTensor, alpha: number): FloatTensor {
  return floatTensor(
    clipLogits.shape,
    clipLogits.data.map((x, i) => x + alpha * fromCache.data[i]!),
  )
}

/**
 * One step of fine-tuning the keys: `keys`, `features` `(batch, embed)` of any length, `labels` -> loss and gradient.
 *
 *     logits = exp(logit_scale) x . t  +  alpha exp(-beta (1 - x . keys)) onehot
 *
 * @param text `(classes, embed)` of length 1
 */
export function tipStep(
  clip: Clip,
  text: FloatTensor,
  { keys, labels }: Cache,
  { alpha, beta }: Weighting,
  batch: number,
): Program {
  const graph = new Graph()
  const [classes = 0, embed = 0] = text.shape
  const learned = graph.input('keys', keys.shape)
  const features = graph.input('features', [batch, embed])
  const affinities = matmul(l2Normalise(features), learned, { transB: true })
  const near = exp(scale(sub(affinities, graph.scalar(1)), beta))
  const values = graph.weight('values', oneHot(labels, classes))
  const logits = add(imageLogits(clip, features, graph.weight('text', text)), scale(matmul(near, values), alpha))
  return stepOf(labelLoss(logits), new Map([['keys', learned]]), { logits })
}

function oneHot(labels: readonly number[], classes: number): FloatTensor {
  const values = floatTensor([labels.length, classes])
  for (const [i, label] of labels.entries()) values.data[i * classes + label] = 1
  return values
}

/** Ends and steps of the search for alpha and beta: values from 0.1 on, below the end. */
export interface Grid {
  readonly maxAlpha: number
  readonly alphaSteps: number
  readonly maxBeta: number
  readonly betaSteps: number
}

/**
 * The weighting with the most images right, the first of several; both 0, CLIP alone, where no weighting has any right.
 *
 * @param affinities of the images to choose by
 */
export function searchWeighting(
  affinities: FloatTensor,
  clipLogits: FloatTensor,
  cacheLabels: readonly number[],
  targets: readonly number[],
  { maxAlpha, alphaSteps, maxBeta, betaSteps }: Grid,
): Weighting & { readonly right: number } {
  const [, classes = 0] = clipLogits.shape
  let best = { alpha: 0, beta: 0, right: 0 }
  for (const beta of values(maxBeta, betaSteps)) {
    const fromCache = cacheLogits(affinities, cacheLabels, classes, beta)
    for (const alpha of values(maxAlpha, alphaSteps)) {
      const predicted = argmaxRows(withCache(clipLogits, fromCache, alpha))
      const right = targets.filter((target, i) => predicted[i] === target).length
      if (right > best.right) best = { alpha, beta, right }
    }
  }
  return best
}

const values = (end: number, steps: number) => Array.from({ length: steps }, (_, i) => 0.1 + (i * (end - 0.1)) / steps)
