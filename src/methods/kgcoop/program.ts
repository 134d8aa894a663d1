import type { Clip } from '../../clip/types.ts'
import { add, type FloatTensor, mean, mul, scale, sub, sum } from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import type { TrainingStep } from '../../learning/loop.ts'
import type { PromptLayout } from '../../prompt/layout.ts'
import { contextStep } from '../context-step.ts'

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
): TrainingStep {
  return contextStep(clip, layout, (text) => {
    const { graph } = text
    const logits = imageLogits(clip, graph.input('features', [batch, clip.config.embedDim]), text)
    const cosines = sum(mul(text, graph.constant(handWritten)), [1])
    const distance = sub(graph.scalar(1), mean(cosines, [0]))
    return { loss: add(labelLoss(logits), scale(distance, weight)), logits }
  })
}
