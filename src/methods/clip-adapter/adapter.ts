import { randomFor } from '../../base/random.ts'
import type { Clip } from '../../clip/types.ts'
import {
  add,
  type FloatTensor,
  floatTensor,
  Graph,
  matmul,
  type Program,
  relu,
  type Shape,
  scale,
  sizeOf,
} from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'
import { rowProducts } from '../../learning/vectors.ts'

/** The adapter's two matrices, under the names of the official checkpoints. */
export const DOWN = 'fc.0.weight' // (hidden, embed)
export const UP = 'fc.2.weight' // (embed, hidden)

export interface Adapter {
  readonly down: FloatTensor
  readonly up: FloatTensor
}

/** Width of the bottleneck. */
export function hiddenOf(embed: number, reduction: number): number {
  return Math.max(1, Math.floor(embed / reduction))
}

/** The start by a seed, as PyTorch's linear layers: uniform within +-1/sqrt(inputs). */
export function randomAdapter(embed: number, hidden: number, seed: number): Adapter {
  const layer = (name: string, shape: Shape): FloatTensor => {
    const random = randomFor('clip-adapter', seed, name)
    const bound = 1 / Math.sqrt(shape[1] ?? 1)
    return floatTensor(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => bound * (2 * random.next() - 1)),
    )
  }
  return { down: layer(DOWN, [hidden, embed]), up: layer(UP, [embed, hidden]) }
}

/**
 * One step: the two matrices, `features` `(batch, embed)` as the encoder gives them, `labels` -> loss and gradients.
 *
 *     y = ratio relu(up relu(down x)) + (1 - ratio) x,   logits = exp(logit_scale) cos(y, t)
 *
 * @param text `(classes, embed)` of length 1
 */
export function adapterStep(clip: Clip, text: FloatTensor, hidden: number, ratio: number, batch: number): Program {
  const graph = new Graph()
  const embed = clip.config.embedDim
  const down = graph.input(DOWN, [hidden, embed])
  const up = graph.input(UP, [embed, hidden])
  const x = graph.input('features', [batch, embed])
  const inner = relu(matmul(x, down, { transB: true })) // (batch, hidden)
  const outer = relu(matmul(inner, up, { transB: true })) // (batch, embed)
  const y = add(scale(outer, ratio), scale(x, 1 - ratio))
  const logits = imageLogits(clip, y, graph.weight('text', text))
  const tensors = new Map([
    [DOWN, down],
    [UP, up],
  ])
  return stepOf(labelLoss(logits), tensors, { logits })
}

/** Features `(n, embed)` as the adapter changes them: y above. */
export function adapted(x: FloatTensor, { down, up }: Adapter, ratio: number): FloatTensor {
  const positive = (tensor: FloatTensor) =>
    floatTensor(
      tensor.shape,
      tensor.data.map((value) => Math.max(0, value)),
    )
  const { data } = positive(rowProducts(positive(rowProducts(x, down)), up))
  return floatTensor(
    x.shape,
    data.map((value, i) => ratio * value + (1 - ratio) * x.data[i]!),
  )
}
