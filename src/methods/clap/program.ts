import type { Clip } from '../../clip/types.ts'
import {
  add,
  dims,
  type FloatTensor,
  Graph,
  mul,
  type Program,
  scale,
  sub,
  sum,
  sumSquares,
} from '../../graph/index.ts'
import { imageLogits, labelLoss, unitRows } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'

/**
 * One training step: `weights` `(classes, embed)`, `features` `(batch, embed)`, `labels` -> loss and gradient.
 *
 *     loss = cross-entropy of exp(logit_scale) cos(x, w_c)  +  mean over classes of a_c |w_c - t_c|^2
 *
 * @param text t, `(classes, embed)`, where the weights start
 * @param multipliers a, `(classes)`
 */
export function clapStep(clip: Clip, text: FloatTensor, multipliers: FloatTensor, batch: number): Program {
  const graph = new Graph()
  const [classes, embed] = dims(text, 2, 'text features')
  const weights = graph.input('weights', [classes, embed])
  const logits = imageLogits(clip, graph.input('features', [batch, embed]), unitRows(weights))
  const distances = sumSquares(sub(weights, graph.constant(text)), [1])
  const penalty = scale(sum(mul(distances, graph.constant(multipliers)), [0]), 1 / classes)
  return stepOf(add(labelLoss(logits), penalty), new Map([['weights', weights]]), { logits })
}
