import { linear } from '../../clip/towers/transformer.ts'
import type { Clip } from '../../clip/types.ts'
import type { Parameters } from '../../clip/weights/parameters.ts'
import {
  add,
  Graph,
  l2Normalise,
  matmul,
  type Program,
  program,
  relu,
  reshape,
  type Shape,
  type Value,
} from '../../graph/index.ts'
import { labelLoss, logitFactor } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'
import { layoutForImages, type PromptLayout } from '../../prompt/layout.ts'
import { classFeatures, contextShape } from '../../prompt/prompted-tower.ts'

/** The hidden layer of the meta-net is that many times narrower than the image features. */
const REDUCTION = 16
const hiddenWidth = (embedDim: number) => Math.max(1, Math.floor(embedDim / REDUCTION))

/** Shapes of what is learned, by the official names. */
export function cocoopShapes(clip: Clip, layout: PromptLayout): Record<string, Shape> {
  const { embedDim, text } = clip.config
  const hidden = hiddenWidth(embedDim)
  return {
    ctx: contextShape(clip, layout),
    'meta_net.linear1.weight': [hidden, embedDim],
    'meta_net.linear1.bias': [hidden],
    'meta_net.linear2.weight': [text.width, hidden],
    'meta_net.linear2.bias': [text.width],
  }
}

/** One training step: the tensors of cocoopShapes, `features` `(batch, embed)`, `labels` `(batch)` -> loss and gradients. */
export function cocoopStep(clip: Clip, layout: PromptLayout, batch: number): Program {
  const { tensors, logits } = imageConditionalLogits(clip, layout, batch)
  return stepOf(labelLoss(logits), tensors, { logits })
}

/** Evaluation: the tensors of cocoopShapes, `features` `(images, embed)` -> `logits` `(images, classes)`. */
export function cocoopLogits(clip: Clip, layout: PromptLayout, images: number): Program {
  const { logits } = imageConditionalLogits(clip, layout, images)
  return program(logits.graph, { logits })
}

/**
 * Each image asks with prompts of its own, whose context vectors are all shifted by what the meta-net says of it:
 *
 *     x = image / |image|,   shift = W2 relu(W1 x + b1) + b2,   context_m = ctx_m + shift
 *     logits_c = exp(logit_scale) cos(x, text_c(context))
 *
 * The prompts of one image share their beginning, so the text tower runs over it once an image, not once a class.
 */
function imageConditionalLogits(clip: Clip, layout: PromptLayout, images: number) {
  const { embedDim, text } = clip.config
  const { classes, M } = layout
  const graph = new Graph()
  const shapes = Object.entries(cocoopShapes(clip, layout))
  const tensors = new Map(shapes.map(([name, shape]) => [name, graph.input(name, shape)]))
  const p: Parameters = (name) => {
    const value = tensors.get(name)
    if (value === undefined) throw new Error(`CoCoOp learns no ${name}`)
    return value
  }
  const x = l2Normalise(graph.input('features', [images, embedDim]))
  const shift = metaNet(p, x, text.width)
  const context = add(p('ctx', [M, text.width]), reshape(shift, [images, 1, text.width]))
  const features = classFeatures(clip, layoutForImages(layout, images), context)
  const all = reshape(features, [images, classes, embedDim])
  const products = matmul(reshape(x, [images, 1, embedDim]), all, { transB: true, alpha: logitFactor(clip) })
  return { tensors, logits: reshape(products, [images, classes]) }
}

function metaNet(p: Parameters, x: Value, width: number): Value {
  const hidden = relu(linear(p, 'meta_net.linear1.', x, hiddenWidth(x.shape[1] ?? 0)))
  return linear(p, 'meta_net.linear2.', hidden, width)
}
