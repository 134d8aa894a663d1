import type { Clip } from '../../clip/types.ts'
import { add, type FloatTensor, Graph, l2Normalise, type Program, scale } from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'
import { normaliseRows } from '../../learning/vectors.ts'

/** What is learned, `(classes, embed)`, as the official checkpoints call it. */
export const RESIDUALS = 'text_feature_residuals'

/**
 * One step: the residuals x_c, `features` `(batch, embed)`, `labels` `(batch)` -> loss and gradient.
 *
 *     logit_c = exp(logit_scale) cos(image, t_c + alpha x_c)
 *
 * @param base t, `(classes, embed)` as the text tower gives it
 */
export function taskResStep(clip: Clip, base: FloatTensor, alpha: number, batch: number): Program {
  const graph = new Graph()
  const residuals = graph.input(RESIDUALS, base.shape)
  const text = l2Normalise(add(graph.weight('base', base), scale(residuals, alpha)))
  const logits = imageLogits(clip, graph.input('features', [batch, clip.config.embedDim]), text)
  return stepOf(labelLoss(logits), new Map([[RESIDUALS, residuals]]), { logits })
}

/** t_c + alpha x_c of every class, of length 1. */
export function shiftedText({ shape, data }: FloatTensor, residuals: FloatTensor, alpha: number): FloatTensor {
  return normaliseRows({ dtype: 'float32', shape, data: data.map((t, i) => t + alpha * residuals.data[i]!) })
}
