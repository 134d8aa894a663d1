import { imageProjection, projectionName, trunkWidth } from '../../clip/towers/image-tower.ts'
import type { Clip } from '../../clip/types.ts'
import { constantParameters, type Parameters, weightOf } from '../../clip/weights/parameters.ts'
import { add, type FloatTensor, Graph, type Program, scale, sub, sumSquares, type Value } from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'

/**
 * Logits of trunk features x `(n, trunk)` with another matrix W in the place of the model's last projection:
 *
 *     logits = exp(logit_scale) cos(x W, t),   in a ResNet  cos(x W^T + b, t)  with the model's own b
 *
 * @param projection W, in the shape that the model has it in
 * @param text `(classes, embed)` of length 1
 */
export function prolipLogits(clip: Clip, x: Value, projection: Value, text: Value): Value {
  const { config } = clip
  const name = projectionName(config)
  const frozen = constantParameters(x.graph, clip.weights)
  const parameters: Parameters = (asked, shape) => (asked === name ? projection : frozen(asked, shape))
  return imageLogits(clip, imageProjection(parameters, config, x), text)
}

/**
 * One step: W under the model's own name for it, `features` `(batch, trunk)`, `labels` -> loss and gradient.
 *
 *     loss = mean cross-entropy + lambda |W - W0|^2,   W0: the model's own
 *
 * @param text `(classes, embed)` of length 1
 */
export function prolipStep(clip: Clip, text: FloatTensor, lambda: number, batch: number): Program {
  const graph = new Graph()
  const name = projectionName(clip.config)
  const start = weightOf(clip.weights, name)
  const learned = graph.input(name, start.shape)
  const x = graph.input('features', [batch, trunkWidth(clip.config)])
  const logits = prolipLogits(clip, x, learned, graph.weight('text', text))
  const moved = sumSquares(sub(learned, graph.weight('start', start)), [0, 1])
  return stepOf(add(labelLoss(logits), scale(moved, lambda)), new Map([[name, learned]]), { logits })
}
