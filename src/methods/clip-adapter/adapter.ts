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
  type Value,
} from '../../graph/index.ts'
import { imageLogits, labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'
import type { Tensors } from '../../learning/types.ts'

/** The adapter's two matrices, under the names of the official checkpoints. */
export const DOWN = 'fc.0.weight' // (hidden, embed)
export const UP = 'fc.2.weight' // (embed, hidden)

/** Width of the bottleneck. */
export function hiddenOf(embed: number, reduction: number): number {
  return Math.max(1, Math.floor(embed / reduction))
}

/** The start by a seed, as PyTorch's linear layers: uniform within +-1/sqrt(inputs). */
export function randomAdapter(embed: number, hidden: number, seed: number): Tensors {
  const layer = (name: string, shape: Shape): [string, FloatTensor] => {
    const random = randomFor('clip-adapter', seed, name)
    const bound = 1 / Math.sqrt(shape[1] ?? 1)
    const values = Float32Array.from({ length: sizeOf(shape) }, () => bound * (2 * random.next() - 1))
    return [name, floatTensor(shape, values)]
  }
  return new Map([layer(DOWN, [hidden, embed]), layer(UP, [embed, hidden])])
}

/** The adapter's matrices and the text features, `(classes, embed)` of length 1, as values of a graph. */
export interface AdapterValues {
  readonly down: Value
  readonly up: Value
  readonly text: Value
}

/**
 * Logits of features x `(n, embed)` as the encoder gives them.
 *
 *     y = ratio relu(up relu(down x)) + (1 - ratio) x,   logits = exp(logit_scale) cos(y, t)
 */
export function adapterLogits(clip: Clip, x: Value, { down, up, text }: AdapterValues, ratio: number): Value {
  const inner = relu(matmul(x, down, { transB: true })) // (n, hidden)
  const outer = relu(matmul(inner, up, { transB: true })) // (n, embed)
  return imageLogits(clip, add(scale(outer, ratio), scale(x, 1 - ratio)), text)
}

/**
 * One step: the two matrices, `features` `(batch, embed)`, `labels` -> loss and gradients.
 *
 * @param text `(classes, embed)` of length 1
 */
export function adapterStep(clip: Clip, text: FloatTensor, hidden: number, ratio: number, batch: number): Program {
  const graph = new Graph()
  const embed = clip.config.embedDim
  const down = graph.input(DOWN, [hidden, embed])
  const up = graph.input(UP, [embed, hidden])
  const x = graph.input('features', [batch, embed])
  const logits = adapterLogits(clip, x, { down, up, text: graph.weight('text', text) }, ratio)
  const tensors = new Map([
    [DOWN, down],
    [UP, up],
  ])
  return stepOf(labelLoss(logits), tensors, { logits })
}
