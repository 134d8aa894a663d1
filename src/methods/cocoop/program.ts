import { linear } from '../../clip/towers/transformer.ts'
import type { Clip } from '../../clip/types.ts'
import type { Parameters } from '../../clip/weights/parameters.ts'
import { add, dims, Graph, matmul, type Program, relu, reshape, type Shape, type Value } from '../../graph/index.ts'
import { labelLoss, logitFactor, unitRows } from '../../learning/logits.ts'
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
  const graph = new Graph()
  const shapes = Object.entries(cocoopShapes(clip, layout))
  const tensors = new Map(shapes.map(([name, shape]) => [name, graph.input(name, shape)]))
  const features = graph.input('features', [batch, clip.config.embedDim])
  const logits = imageConditionalLogits(clip, layout, features, (name) => {
    const value = tensors.get(name)
    if (value === undefined) throw new Error(`CoCoOp learns no ${name}`)
    return value
  })
  return stepOf(labelLoss(logits), tensors, { logits })
}

/**
 * Logits `(images, classes)` for `features` `(images, embed)` of any length. Each image has its own prompts,
 * whose context vectors are all shifted by what the meta-net says of it:
 *
 *     x = image / |image|,   shift = W2 relu(W1 x + b1) + b2,   context_m = ctx_m + shift
 *     logits_c = exp(logit_scale) cos(x, text_c(context))
 *
 * The prompts of one image share their beginning, so the text tower runs over it once an image, not once a class.
 *
 * @param p the tensors of cocoopShapes
 */
export function imageConditionalLogits(clip: Clip, layout: PromptLayout, features: Value, p: Parameters): Value {
  const { embedDim, text } = clip.config
  const { classes, M } = layout
  const [images] = dims(features, 2, 'image features')
  const x = unitRows(features)
  const shift = metaNet(p, x, text.width)
  const context = add(p('ctx', [M, text.width]), reshape(shift, [images, 1, text.width]))
  const texts = classFeatures(clip, layoutForImages(layout, images), context)
  const all = reshape(texts, [images, classes, embedDim])
  const products = matmul(reshape(x, [images, 1, embedDim]), all, { transB: true, alpha: logitFactor(clip) })
  return reshape(products, [images, classes])
}

function metaNet(p: Parameters, x: Value, width: number): Value {
  const hidden = relu(linear(p, 'meta_net.linear1.', x, hiddenWidth(dims(x, 2)[1])))
  return linear(p, 'meta_net.linear2.', hidden, width)
}
