import type { Clip } from '../../clip/types.ts'
import {
  add,
  crossEntropy,
  div,
  type FloatTensor,
  Graph,
  gradients,
  mul,
  neg,
  type Program,
  positive,
  relu,
  scale,
  softmax,
  sum,
  sumSquares,
  type Value,
  where,
} from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import { stepAlong } from '../../learning/loop.ts'
import type { PromptLayout } from '../../prompt/layout.ts'
import { classFeatures, contextShape } from '../../prompt/prompted-tower.ts'

/** What decides a step of ProGrad. */
export interface Alignment {
  /** lambda: how much is taken away of what works against the general direction; 1: all. */
  readonly weight: number
  /** T, by which logits are divided before they are compared with those of the hand-written prompts. */
  readonly temperature: number
}

/**
 * One training step: `ctx`, `features` `(batch, embed)`, `labels` `(batch)` -> the `loss` g comes from, cross-entropy as CoOp's;
 * the loss `general` and its gradient `general.ctx`, G; and the direction of the step, `gradient.ctx`:
 *
 *     general  = -T^2 mean_i sum_c softmax(h_i / T)_c log softmax(logits_i / T)_c
 *     gradient = g - weight min(0, g . G) G / |G|^2
 *
 * where h are the logits of the hand-written prompts, so that G is the gradient of T^2 KL(h, logits).
 *
 * @param handWritten `(classes, embed)` of length 1
 */
export function progradStep(
  clip: Clip,
  layout: PromptLayout,
  handWritten: FloatTensor,
  { weight, temperature }: Alignment,
  batch: number,
): Program<'loss' | 'gradient.ctx' | 'logits' | 'general' | 'general.ctx'> {
  const graph = new Graph()
  const ctx = graph.input('ctx', contextShape(clip, layout))
  const features = graph.input('features', [batch, clip.config.embedDim])
  const logits = imageLogits(clip, features, classFeatures(clip, layout, ctx))
  const cooler = (x: Value) => scale(x, 1 / temperature)
  const targets = softmax(cooler(imageLogits(clip, features, graph.constant(handWritten))))
  const general = scale(crossEntropy(cooler(logits), targets), temperature ** 2)
  const loss = labelLoss(logits)
  const [g = loss] = gradients(loss, [ctx])
  const [G = general] = gradients(general, [ctx])
  return stepAlong(loss, new Map([['ctx', aligned(g, G, weight)]] as const), { logits, general, 'general.ctx': G })
}

/** g without what of it goes against G; where G is zero, all of g. */
function aligned(g: Value, G: Value, weight: number): Value {
  const axes = g.shape.map((_, axis) => axis)
  const against = relu(neg(sum(mul(g, G), axes)))
  const squares = sumSquares(G, axes)
  const share = div(against, where(positive(squares), squares, g.graph.scalar(1)))
  return add(g, mul(G, scale(share, weight)))
}
