import {
  add,
  averagePool,
  concat,
  conv2d,
  dims,
  frozenBatchNorm,
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
import { type Between, stepIn } from './between.ts'
import { linear } from './transformer.ts'

/** Batch normalisation of x `(n, channels, h, w)` by the parameters `NAME.weight`, `NAME.bias` and statistics. */
export type BatchNormalise = (p: Parameters, name: string, x: Value) => Value

/**
 * CLIP's ModifiedResNet up to its last projection (OpenAI's model.py): a stem of three convolutions with an average pool,
 * bottlenecks whose strides are average pools, and attention pooling at the end.
 *
 * @param pixels `(n, 3, size, size)`, preprocessed
 * @param normalise with a model's running statistics, which is the default, or with the batch's own in training
 * @returns `(n, 32 width)`
 */
export function resnet(
  p: Parameters,
  config: ResNetConfig,
  pixels: Value,
  { normalise = runningStatistics, between }: { normalise?: BatchNormalise; between?: Between } = {},
): Value {
  const { width } = config
  const convNorm = (q: Parameters, i: number, x: Value, cout: number, k: number, stride = 1) =>
    normalise(q, `bn${i}`, convolution(q, `conv${i}`, x, cout, k, stride))

  let x = relu(convNorm(p, 1, pixels, width / 2, 3, 2))
  x = relu(convNorm(p, 2, x, width / 2, 3))
  x = averagePool(relu(convNorm(p, 3, x, width, 3)), 2) // (n, width, size / 4, size / 4)

  let block = 0
  for (const [stage, depth] of config.layers.entries()) {
    const planes = width * 2 ** stage
    for (let i = 0; i < depth; i++) {
      if (between) x = stepIn(between, x, { tower: 'image', block: block++ })
      const stride = stage > 0 && i === 0 ? 2 : 1
      x = bottleneck(under(p, `layer${stage + 1}.${i}.`), x, planes, stride)
    }
  } // (n, 32 width, size / 32, size / 32)
  return attentionPool(under(p, 'attnpool.'), config, x)

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
  const [, cin] = dims(x, 4, `the input of ${name}`)
  const kernel = p(`${name}.weight`, [cout, cin, k, k])
  return conv2d(x, kernel, { stride, padding: (k - 1) / 2 })
}

/** Inference: batch normalisation by the statistics that the model keeps. */
function runningStatistics(p: Parameters, name: string, x: Value): Value {
  const [, channels] = dims(x, 4, `the input of ${name}`)
  const of = (part: string) => p(`${name}.${part}`, [channels])
  return frozenBatchNorm(x, of('weight'), of('bias'), of('running_mean'), of('running_var'), 1e-5)
}

/** Attention of the mean pixel to itself and all pixels, without its output projection: x `(n, c, h, w)` -> `(n, c)`. */
function attentionPool(p: Parameters, config: ResNetConfig, x: Value): Value {
  const [n, c, h, w] = dims(x, 4)
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
  return reshape(matmul(weights, v), [n, c])
}
