import type { Clip } from '../../clip/types.ts'
import { add, type FloatTensor, Graph, mean, mul, type Program, scale, sub, sum } from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'
import type { PromptLayout } from '../../prompt/layout.ts'
import { classFeatures, contextShape } from '../../prompt/prompted-tower.ts'

/**
 * One training step: `ctx`, `features` `(batch, embed)`, `labels` `(batch)` -> loss and gradient.
 *
 *     loss = cross-entropy + weight (1 - mean over classes of cos(text_c, handWritten_c))
 *
 * @param handWritten `(classes, embed)` of length 1
 */
export function kgcoopStep(
  clip: Clip,
  layout: PromptLayout,
  handWritten: FloatTensor,
  weight: number,
  batch: number,
): Program {
  const graph = new Graph()
  const ctx = graph.input('ctx', contextShape(clip, layout))
  const text = classFeatures(clip, layout, ctx)
  const logits = imageLogits(clip, graph.input('features', [batch, clip.config.embedDim]), text)
  const cosines = sum(mul(text, graph.constant(handWritten)), [1])
  const distance = sub(graph.scalar(1), mean(cosines, [0]))
  return stepOf(add(labelLoss(logits), scale(distance, weight)), new Map([['ctx', ctx]]), { logits })
}
