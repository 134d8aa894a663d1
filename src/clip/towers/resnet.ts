import {
  add,
  averagePool,
  concat,
  conv2d,
  matmul,
  mean,
  relu,
  reshape,
  slice,
  softmax,
  transpose,
  type Value,
} from '../../graph/index.ts'
import type { ResNetConfig } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'
import { linear } from './transformer.ts'

/** Batch normalisation of x `(n, channels, h, w)` by the parameters `NAME.weight`, `NAME.bias` and statistics. */
export type BatchNormalise = (p: Parameters, name: string, x: Value) => Value

/**
 * CLIP's ModifiedResNet (OpenAI's model.py): a stem of three convolutions with an average pool, bottlenecks whose
 * strides are average pools, and attention pooling at the end.
 *
 * @param pixels `(n, 3, size, size)`, preprocessed
 * @param normalise with a model's running statistics (`runningStatistics`), or with the batch's own in training
 * @returns `(n, embed)`, not normalised
 */
export function resnet(
  p: Parameters,
  config: ResNetConfig,
  embedDim: number,
  pixels: Value,
  normalise: BatchNormalise = runningStatistics,
): Value {
  const { width } = config
  const convNorm = (q: Parameters, i: number, x: Value, cout: number, k: number, stride = 1) =>
    normalise(q, `bn${i}`, convolution(q, `conv${i}`, x, cout, k, stride))

  let x = relu(convNorm(p, 1, pixels, width / 2, 3, 2))
  x = relu(convNorm(p, 2, x, width / 2, 3))
  x = averagePool(relu(convNorm(p, 3, x, width, 3)), 2) // (n, width, size / 4, size / 4)

  for (const [stage, depth] of config.layers.entries()) {
    const planes = width * 2 ** stage
    for (let i = 0; i < depth; i++) {
      const stride = stage > 0 && i === 0 ? 2 : 1
      x = bottleneck(under(p, `layer${stage + 1}.${i}.`), x, planes, stride)
    }
  } // (n, 32 width, size / 32, size / 32)
  return attentionPool(under(p, 'attnpool.'), config, embedDim, x)

  function bottleneck(q: Parameters, input: Value, planes: number, stride: number): Value {
    const cout = 4 * planes
    let y = relu(convNorm(q, 1, input, planes, 1))
    y = averagePool(relu(convNorm(q, 2, y, planes, 3)), stride)
    y = convNorm(q, 3, y, cout, 1)
    if (stride === 1 && input.shape[1] === cout) return relu(add(y, input))
    const shortcut = convolution(q, 'downsample.0', averagePool(input, stride), cout, 1, 1)
    return relu(add(y, normalise(q, 'downsample.1', shortcut)))
  }
}

function convolution(p: Parameters, name: string, x: Value, cout: number, k: number, stride: number): Value {
  const kernel = p(`${name}.weight`, [cout, x.shape[1] ?? 0, k, k])
  return conv2d(x, kernel, { stride, padding: (k - 1) / 2 })
}

/** Inference: y = (x - running mean) / sqrt(running variance + 1e-5) weight + bias. */
export function runningStatistics(p: Parameters, name: string, x: Value): Value {
  const channels = [x.shape[1] ?? 0]
  const [y] = x.graph.apply({
    op: 'BatchNormalization',
    inputs: [x, ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => p(`${name}.${part}`, channels))],
    attributes: { epsilon: { float: 1e-5 } },
    outputs: [{ shape: x.shape }],
    gradient: 'none',
  })
  if (y === undefined) throw new Error('BatchNormalization has one output')
  return y
}

/** Attention of the mean pixel to itself and all pixels: x `(n, c, h, w)` -> `(n, embed)`. */
function attentionPool(p: Parameters, config: ResNetConfig, embedDim: number, x: Value): Value {
  const [n = 0, c = 0, h = 0, w = 0] = x.shape
  const tokens = h * w + 1
  const { heads } = config
  const pixels = transpose(reshape(x, [n, c, h * w]), [0, 2, 1])
  const withMean = concat([mean(pixels, [1], true), pixels], 1)
  const rows = add(withMean, p('positional_embedding', [tokens, c])) // (n, tokens, c)
  const split = (name: string, from: Value, length: number) =>
    transpose(reshape(linear(p, name, reshape(from, [n * length, c]), c), [n, length, heads, c / heads]), [0, 2, 1, 3])
  const q = split('q_proj.', slice(rows, 1, 0, 1), 1) // (n, heads, 1, d)
  const [k, v] = [split('k_proj.', rows, tokens), split('v_proj.', rows, tokens)]
  const weights = softmax(matmul(q, k, { transB: true, alpha: 1 / Math.sqrt(c / heads) }))
  return linear(p, 'c_proj.', reshape(matmul(weights, v), [n, c]), embedDim)
}
