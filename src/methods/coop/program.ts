import { checkArguments, wholeFrom } from '../../base/arguments.ts'
import type { Clip } from '../../clip/types.ts'
import { div, Graph, type Program, type Value } from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'
import type { PromptLayout } from '../../prompt/layout.ts'
import { classFeatures, contextShape } from '../../prompt/prompted-tower.ts'
import type { TextLoss } from '../context-step.ts'

/** Outputs of a training step. */
export type CoopStep = Program<'loss' | 'gradient.ctx' | 'logits'>

/**
 * One training step: `ctx`, image `features` `(batch, embed)` (of any length), `labels` `(batch)` int64 -> `loss`,
 * `gradient.ctx`, `logits` `(batch, classes)`.
 *
 *     logits = exp(logit_scale) cos(image, text(ctx)),   loss = mean cross-entropy of softmax(logits)
 */
export function coopStep(clip: Clip, layout: PromptLayout, batch: number): CoopStep {
  checkArguments('coopStep', { batch }, { batch: wholeFrom(1) })
  const ctx = new Graph().input('ctx', contextShape(clip, layout))
  return stepOverText(clip, ctx, classFeatures(clip, layout, ctx), batch)
}

/** The training step over class features `text` `(classes, embed)`, of length 1, however they come from `ctx`. */
export function stepOverText(clip: Clip, ctx: Value, text: Value, batch: number): CoopStep {
  const { loss, logits } = coopLoss(clip, batch)(text)
  return stepOf(loss, new Map([['ctx', ctx]] as const), { logits })
}

/**
 * What CoOp makes of class features: inputs image `features` `(batch, embed)` and `labels` `(batch)` int64; and where it is
 * `tempered` the `temperature` `(1)` that the logits are divided by in the loss.
 */
export const coopLoss =
  (clip: Clip, batch: number, tempered = false): TextLoss =>
  (text) => {
    const { graph } = text
    const logits = imageLogits(clip, graph.input('features', [batch, clip.config.embedDim]), text)
    return { loss: labelLoss(tempered ? div(logits, graph.input('temperature', [1])) : logits), logits }
  }
