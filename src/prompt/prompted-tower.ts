import { positionRows, tokenRows } from '../clip/encode.ts'
import { textTower } from '../clip/towers/text-tower.ts'
import type { Clip } from '../clip/types.ts'
import { constantParameters } from '../clip/weights/parameters.ts'
import {
  add,
  concat,
  Graph,
  gather,
  gradients,
  l2Normalise,
  type Program,
  program,
  reshape,
  type Shape,
  type Value,
} from '../graph/index.ts'
import { imageLogits, labelLoss } from '../learning/logits.ts'
import type { PromptLayout } from './layout.ts'

/** Shape of the context vectors: `(M, width)`, or `(classes, M, width)` where each class has its own. */
export function contextShape(clip: Clip, { classes, M, classSpecific }: PromptLayout): Shape {
  const { width } = clip.config.text
  return classSpecific ? [classes, M, width] : [M, width]
}

/** The text features of all classes, `(classes, embed)`, of length 1, for context vectors `ctx` (see contextShape). */
export function classFeatures(clip: Clip, layout: PromptLayout, ctx: Value): Value {
  const { text, embedDim } = clip.config
  const { graph } = ctx
  const { packing, contextRows, tokens } = layout
  const words = graph.constant(tokenRows(clip, tokens))
  const table = concat([reshape(ctx, [contextRows, text.width]), words], 0)
  const rows = gather(table, graph.ints(packing.slots))
  const x = add(rows, graph.constant(positionRows(clip, packing.positions)))
  return l2Normalise(textTower(constantParameters(graph, clip.weights), text, embedDim, packing, x))
}

/** Evaluation: `ctx` -> `features` `(classes, embed)` of length 1. */
export function classFeaturesProgram(clip: Clip, layout: PromptLayout): Program {
  const graph = new Graph()
  const ctx = graph.input('ctx', contextShape(clip, layout))
  return program(graph, { features: classFeatures(clip, layout, ctx) })
}

/**
 * One training step: `ctx`, image `features` `(batch, embed)` (of any length), `labels` `(batch)` int64 ->
 * `loss`, `gradient` (of the loss towards ctx), `logits` `(batch, classes)`.
 */
export function trainingProgram(clip: Clip, layout: PromptLayout, batch: number): Program {
  const ctx = new Graph().input('ctx', contextShape(clip, layout))
  return stepProgram(clip, ctx, classFeatures(clip, layout, ctx), batch)
}

/**
 * The training step over class features `text` `(classes, embed)`, of length 1, however they come from `ctx`.
 *
 *     logits = exp(logit_scale) cos(image, text),   loss = mean cross-entropy of softmax(logits)
 */
export function stepProgram(clip: Clip, ctx: Value, text: Value, batch: number): Program {
  const { graph } = ctx
  const logits = imageLogits(clip, graph.input('features', [batch, clip.config.embedDim]), text)
  const loss = labelLoss(logits)
  const [gradient = loss] = gradients(loss, [ctx])
  return program(graph, { loss, gradient, logits })
}
