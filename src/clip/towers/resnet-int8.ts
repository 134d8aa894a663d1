import { breathe } from '../../base/breathe.ts'
import { apply, type Value } from '../../graph/graph.ts'
import { dims, type FloatTensor, floatTensor, reshape, transpose } from '../../graph/index.ts'
import { type Codes, codesOf, type RoundedRows, roundRows } from '../../graph/int8.ts'
import type { PreprocessConfig, ResNetConfig, Weights } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'
import { attentionPool, convolutions, EPSILON, type ResNetLayers } from './resnet.ts'

/** A picture's channels in 8 bits, `(n, h, w, channels)`, and what they are spread like, by the model's own statistics. */
interface Spread {
  readonly value: Value
  readonly codes: Codes
  readonly mean: Float64Array
  readonly variance: Float64Array
}

/** Deviations from the mean of a channel that its codes reach. */
const REACH = 7

/** A convolution with its batch normalisation in it, rounded; by the name of its kernel. */
type Rounded = ReadonlyMap<string, RoundedRows & { readonly bias: Float32Array }>

/**
 * The kernels of a ResNet with their batch normalisation in them, in 8 bits:
 *
 *     g (W x - mu) / sqrt(variance + epsilon) + b = (f W) x + (b - f mu)   with f = g / sqrt(variance + epsilon)
 */
export async function roundedConvolutions(weights: Weights): Promise<Rounded> {
  const rounded = new Map<string, RoundedRows & { readonly bias: Float32Array }>()
  for (const [name, { shape, data }] of weights) {
    const [, place, layer, number] = /^visual\.(.*?)(conv(\d)|downsample\.0)\.weight$/.exec(name) ?? []
    if (place === undefined || layer === undefined) continue
    const norm = `visual.${place}${number === undefined ? 'downsample.1' : `bn${number}`}`
    const of = (part: string) => weights.get(`${norm}.${part}`)?.data ?? new Float32Array()
    const [gamma, beta, mean, variance] = [of('weight'), of('bias'), of('running_mean'), of('running_var')]
    const factors = gamma.map((g, i) => g / Math.sqrt((variance[i] ?? 0) + EPSILON))
    const size = data.length / factors.length
    const folded = data.map((w, i) => w * factors[Math.floor(i / size)]!)
    const bias = beta.map((b, i) => b - factors[i]! * mean[i]!)
    rounded.set(name, { ...roundRows(floatTensor(shape, folded)), bias })
    const breath = breathe()
    if (breath) await breath
  }
  return rounded
}

/**
 * CLIP's ModifiedResNet in 8 bits up to its attention pooling, which is in float32. How far the values of a layer reach is not
 * measured on pictures but follows from the model: behind batch normalisation a channel has the mean b and the deviation |g|
 * (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2). So the same
 * picture has the same features, whatever the others are.
 *
 * @param pixels `(n, 3, size, size)`, preprocessed
 * @returns `(n, 32 width)`
 */
export function int8ResNet(
  parameters: Parameters,
  config: ResNetConfig,
  preprocess: PreprocessConfig,
  kernels: Rounded,
  pixels: Value,
): Value {
  const p = under(parameters, 'visual.')
  const x = convolutions(p, config, pixelCodes(pixels, preprocess), int8Layers(kernels))
  const [n, h, w, c] = dims(x.value, 4)
  return attentionPool(p, config, reshape(floats(x), [n, h * w, c]))
}

/** Pixels of 8-bit pictures, channels last. */
function pixelCodes(pixels: Value, { mean, std }: PreprocessConfig): Spread {
  const ends = mean.map((m, i) => [-m / (std[i] ?? 1), (1 - m) / (std[i] ?? 1)] as const)
  const codes = codesOf(Math.min(0, ...ends.map(([low]) => low)), Math.max(0, ...ends.map(([, high]) => high)))
  const x = transpose(pixels, [0, 2, 3, 1])
  const value = apply('QuantizeLinear', [x, ...scaleAndZero(x, codes)], x.shape, 'none', {}, 'uint8')
  return { value, codes, mean: new Float64Array(3), variance: new Float64Array(3).fill(1) }
}

const floats = ({ value, codes }: Spread): Value =>
  apply('DequantizeLinear', [value, ...scaleAndZero(value, codes)], value.shape, 'none', {}, 'float32')

const scaleAndZero = ({ graph }: Value, { scale, zero }: Codes): [Value, Value] => [
  graph.scalar(scale),
  graph.constant({ dtype: 'uint8', shape: [], data: Uint8Array.of(zero) }),
]

const int8Layers = (kernels: Rounded): ResNetLayers<Spread> => ({
  convNorm(p, { value, codes }, { conv, norm, cout, k, stride = 1, relu }) {
    const [n, h, w, cin] = dims(value, 4)
    const { graph } = value
    const { name = '' } = p(`${conv}.weight`, [cout, cin, k, k]).node
    const kernel = kernels.get(name)
    if (kernel === undefined) throw new Error(`there is no kernel ${name}`)
    const { scales, bias } = kernel
    const gamma = floatsOf(p(`${norm}.weight`, [cout]))
    const spread = spreadOf(
      Float64Array.from(floatsOf(p(`${norm}.bias`, [cout])).data),
      Float64Array.from(gamma.data, (g) => g * g),
      relu,
    )
    // the sums in 32 bits are multiples of both scales
    const whole = Int32Array.from(bias, (b, i) => Math.round(b / (scales[i]! * codes.scale || 1)))
    const inputs: [Value, ...Value[]] = [
      value,
      ...scaleAndZero(value, codes),
      graph.weight(`${name} in 8 bits`, { dtype: 'int8', shape: [cout, cin, k, k], data: kernel.codes }),
      graph.weight(`${name}.scale`, floatTensor([cout], scales)),
      graph.constant({ dtype: 'int8', shape: [cout], data: new Int8Array(cout) }),
      ...scaleAndZero(value, spread.codes),
      graph.weight(`${name}.bias`, { dtype: 'int32', shape: [cout], data: whole }),
    ]
    const pad = (k - 1) / 2
    const attributes = { channels_last: 1, kernel_shape: [k, k], pads: [pad, pad, pad, pad], strides: [stride, stride] }
    const shape = [n, h / stride, w / stride, cout]
    return { ...spread, value: apply('com.microsoft.QLinearConv', inputs, shape, 'none', attributes, 'uint8') }
  },

  averagePool(x, size) {
    if (size === 1) return x
    const { value, codes } = x
    const [n, h, w, c] = dims(value, 4)
    const as = scaleAndZero(value, codes)
    const attributes = { channels_last: 1, kernel_shape: [size, size], strides: [size, size] }
    const shape = [n, h / size, w / size, c]
    return {
      ...x,
      value: apply('com.microsoft.QLinearAveragePool', [value, ...as, ...as], shape, 'none', attributes, 'uint8'),
    }
  },

  join(a, b) {
    const sum = (of: (x: Spread) => Float64Array) => of(a).map((value, i) => value + of(b)[i]!)
    const spread = spreadOf(
      sum(({ mean }) => mean),
      sum(({ variance }) => variance),
      true,
    )
    const parts = [a, b].flatMap(({ value, codes }) => [value, ...scaleAndZero(value, codes)])
    const inputs: [Value, ...Value[]] = [a.value, ...parts.slice(1), ...scaleAndZero(a.value, spread.codes)]
    return { ...spread, value: apply('com.microsoft.QLinearAdd', inputs, a.value.shape, 'none', {}, 'uint8') }
  },

  channels: ({ value }) => value.shape[3] ?? 0,
})

function floatsOf({ node: { tensor } }: Value): FloatTensor {
  if (tensor?.dtype !== 'float32') throw new Error('a parameter of a loaded model has its values')
  return tensor
}

/**
 * Codes for normally distributed channels, cut at 0 where `relu`, and what they are then spread like: of z = (x - mean) / s
 *
 *     E relu = mean F(z) + s f(z),   E relu^2 = (mean^2 + variance) F(z) + mean s f(z)   at z = mean / s
 */
function spreadOf(mean: Float64Array, variance: Float64Array, relu: boolean): Omit<Spread, 'value'> {
  const deviation = variance.map(Math.sqrt)
  const end = (sign: number) => mean.map((m, i) => m + sign * REACH * deviation[i]!)
  const codes = codesOf(relu ? 0 : Math.min(0, ...end(-1)), Math.max(0, ...end(1)))
  if (!relu) return { codes, mean, variance }
  const z = mean.map((m, i) => (deviation[i]! > 0 ? m / deviation[i]! : Math.sign(m) * 9))
  const cut = mean.map((m, i) => m * below(z[i]!) + deviation[i]! * density(z[i]!))
  const square = mean.map((m, i) => {
    const s = deviation[i]!
    return (m * m + s * s) * below(z[i]!) + m * s * density(z[i]!)
  })
  return { codes, mean: cut, variance: square.map((e, i) => Math.max(0, e - cut[i]! * cut[i]!)) }
}

/** The density of the normal distribution, and nearly its share below z. */
const density = (z: number) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
const below = (z: number) => 1 / (1 + Math.exp(-1.702 * z))
