import type { Clip } from '../clip/types.ts'
import { weightOf } from '../clip/weights/parameters.ts'
import { crossEntropy, equals, l2Normalise, matmul, reshape, type Value } from '../graph/index.ts'

/** exp(logit_scale), by which CLIP multiplies cosines. */
export function logitFactor(clip: Clip): number {
  return Math.exp(weightOf(clip.weights, 'logit_scale').data[0] ?? 0)
}

/** exp(logit_scale) cos(image, text): image features `(batch, embed)` of any length, text `(classes, embed)` of length 1. */
export function imageLogits(clip: Clip, features: Value, text: Value): Value {
  return matmul(l2Normalise(features), text, { transB: true, alpha: logitFactor(clip) })
}

/** Mean cross-entropy of `logits` `(batch, classes)` for labels `(batch)` int64, which become the input `labels`. */
export function labelLoss(logits: Value): Value {
  const { graph } = logits
  const [batch = 0, classes = 0] = logits.shape
  const labels = graph.input('labels', [batch], 'int64')
  const all = graph.ints(Array.from({ length: classes }, (_, c) => c))
  return crossEntropy(logits, equals(reshape(labels, [batch, 1]), all))
}
