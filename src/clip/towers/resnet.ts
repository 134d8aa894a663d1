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

/** A convolution and the normalisation behind it. */
export interface ConvNorm {
  readonly conv: string
  readonly norm: string
  readonly cout: number
  /** Side of the kernel. */
  readonly k: number
  readonly stride?: number
  /** Whether negative values become 0. */
  readonly relu: boolean
}

/** How the layers compute, on pictures held as T: in float32, or in 8 bits. */
export interface ResNetLayers<T> {
  convNorm(p: Parameters, x: T, layer: ConvNorm): T
  averagePool(x: T, size: number): T
  /** relu(a + b) */
  join(a: T, b: T): T
  channels(x: T): number
}

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
  const before = between && ((x: Value, block: number) => stepIn(between, x, { tower: 'image', block }))
  const x = convolutions(p, config, pixels, floatLayers(normalise), before)
  const [n, c, h, w] = dims(x, 4) // (n, 32 width, size / 32, size / 32)
  return attentionPool(p, config, transpose(reshape(x, [n, c, h * w]), [0, 2, 1]))
}

/** All but the attention pooling. `before` steps in before each bottleneck. */
export function convolutions<T>(
  p: Parameters,
  { width, layers: depths }: Pick<ResNetConfig, 'width' | 'layers'>,
  pixels: T,
  layers: ResNetLayers<T>,
  before: (x: T, block: number) => T = (x) => x,
): T {
  const { convNorm, averagePool, join, channels } = layers
  const numbered = (i: number) => ({ conv: `conv${i}`, norm: `bn${i}` })

  let x = convNorm(p, pixels, { ...numbered(1), cout: width / 2, k: 3, stride: 2, relu: true })
  x = convNorm(p, x, { ...numbered(2), cout: width / 2, k: 3, relu: true })
  x = averagePool(convNorm(p, x, { ...numbered(3), cout: width, k: 3, relu: true }), 2) // (n, width, size / 4, size / 4)

  let block = 0
  for (const [stage, depth] of depths.entries()) {
    const planes = width * 2 ** stage
    for (let i = 0; i < depth; i++) {
      x = bottleneck(under(p, `layer${stage + 1}.${i}.`), before(x, block++), planes, stage > 0 && i === 0 ? 2 : 1)
    }
  }
  return x

  function bottleneck(q: Parameters, input: T, planes: number, stride: number): T {
    const cout = 4 * planes
    let y = convNorm(q, input, { ...numbered(1), cout: planes, k: 1, relu: true })
    y = averagePool(convNorm(q, y, { ...numbered(2), cout: planes, k: 3, relu: true }), stride)
    y = convNorm(q, y, { ...numbered(3), cout, k: 1, relu: false })
    if (stride === 1 && channels(input) === cout) return join(y, input)
    const names = { conv: 'downsample.0', norm: 'downsample.1' }
    return join(y, convNorm(q, averagePool(input, stride), { ...names, cout, k: 1, relu: false }))
  }
}

/** Layers on values `(n, channels, h, w)`. */
const floatLayers = (normalise: BatchNormalise): ResNetLayers<Value> => ({
  convNorm(p, x, { conv, norm, cout, k, stride = 1, relu: cuts }) {
    const [, cin] = dims(x, 4, `the input of ${conv}`)
    const kernel = p(`${conv}.weight`, [cout, cin, k, k])
    const y = normalise(p, norm, conv2d(x, kernel, { stride, padding: (k - 1) / 2 }))
    return cuts ? relu(y) : y
  },
  averagePool,
  join: (a, b) => relu(add(a, b)),
  channels: ({ shape: [, channels = 0] }) => channels,
})

/** Inference: batch normalisation by the statistics that the model keeps. */
function runningStatistics(p: Parameters, name: string, x: Value): Value {
  const [, channels] = dims(x, 4, `the input of ${name}`)
  const of = (part: string) => p(`${name}.${part}`, [channels])
  return frozenBatchNorm(x, of('weight'), of('bias'), of('running_mean'), of('running_var'), EPSILON)
}

/** What is added to the variances of batch normalisation. */
export const EPSILON = 1e-5

/** Attention of the mean pixel to itself and all pixels `(n, pixels, c)`, without its output projection -> `(n, c)`. */
export function attentionPool(parameters: Parameters, config: ResNetConfig, pixels: Value): Value {
  const p = under(parameters, 'attnpool.')
  const [n, places, c] = dims(pixels, 3)
  const tokens = places + 1
  const { heads } = config
  const withMean = concat([mean(pixels, [1], true), pixels], 1)
  const rows = add(withMean, p('positional_embedding', [tokens, c])) // (n, tokens, c)
  const split = (name: string, from: Value, length: number) =>
    transpose(reshape(linear(p, name, reshape(from, [n * length, c]), c), [n, length, heads, c / heads]), [0, 2, 1, 3])
  const q = split('q_proj.', slice(rows, 1, 0, 1), 1) // (n, heads, 1, d)
  const [k, v] = [split('k_proj.', rows, tokens), split('v_proj.', rows, tokens)]
  const weights = softmax(matmul(q, k, { transB: true, alpha: 1 / Math.sqrt(c / heads) }))
  return reshape(matmul(weights, v), [n, c])
}
