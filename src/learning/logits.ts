import { aClip, checkArguments } from '../base/arguments.ts'
import type { Clip } from '../clip/types.ts'
import { weightOf } from '../clip/weights/parameters.ts'
import { expectValues } from '../graph/graph.ts'
import {
  crossEntropy,
  dims,
  div,
  equals,
  matmul,
  positive,
  reshape,
  sqrt,
  sumSquares,
  type Value,
  where,
} from '../graph/index.ts'

/** exp(logit_scale), by which CLIP multiplies cosines. */
export function logitFactor(clip: Clip): number {
  return Math.exp(weightOf(clip.weights, 'logit_scale').data[0] ?? 0)
}

/** Rows `(n, d)` divided by their length; a row of zeros stays. */
export function unitRows(x: Value): Value {
  const squares = sumSquares(x, [1], true)
  return div(x, sqrt(where(positive(squares), squares, x.graph.scalar(1))))
}

/** exp(logit_scale) cos(image, text): image features `(batch, embed)` of any length, text `(classes, embed)` of length 1. */
export function imageLogits(clip: Clip, features: Value, text: Value): Value {
  checkArguments('imageLogits', { clip }, { clip: aClip })
  expectValues('imageLogits', [features, text])
  return matmul(unitRows(features), text, { transB: true, alpha: logitFactor(clip) })
}

/** Mean cross-entropy of `logits` `(batch, classes)` for labels `(batch)` int64, which become the input `labels`. */
export function labelLoss(logits: Value): Value {
  expectValues('labelLoss', [logits])
  const { graph } = logits
  const [batch, classes] = dims(logits, 2, 'logits')
  const labels = graph.input('labels', [batch], 'int64')
  const all = graph.ints(Array.from({ length: classes }, (_, c) => c))
  return crossEntropy(logits, equals(reshape(labels, [batch, 1]), all))
}
