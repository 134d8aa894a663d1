import { randomFor } from '../../base/random.ts'
import type { ClipConfig } from '../../clip/types.ts'
import { type Shape, sizeOf } from '../../graph/index.ts'

type Deviation = (shape: Shape, config: ClipConfig) => number

const inverseRoot = (n: number) => n ** -0.5

/** Standard deviations of first weights by the end of the name (OpenAI's model.py, initialize_parameters); first match. */
const DEVIATIONS: readonly (readonly [RegExp, Deviation])[] = [
  [/^token_embedding\.weight$/, () => 0.02],
  [/^positional_embedding$/, () => 0.01],
  [/attn\.in_proj_weight$/, (shape) => inverseRoot(shape[1] ?? 1)],
  [
    /(attn\.out_proj|mlp\.c_proj)\.weight$/,
    (shape, { text }) => inverseRoot(shape[0] ?? 1) * inverseRoot(2 * text.layers),
  ],
  [/mlp\.c_fc\.weight$/, (shape) => inverseRoot(2 * (shape[1] ?? 1))],
  [/attnpool\..*\.weight$/, (shape) => inverseRoot(shape[1] ?? 1)],
  [/positional_embedding$|class_embedding$/, (shape) => inverseRoot(shape.at(-1) ?? 1)],
  [/text_projection$|\.proj$/, (shape) => inverseRoot(shape[0] ?? 1)],
  // Convolutions before a rectifier (He et al. 2015): variance 2 / fan-in.
  [/(conv\d|downsample\.0)\.weight$/, (shape) => Math.sqrt(2 / sizeOf(shape.slice(1)))],
]

/** Constant starts, looked at first: gains 1, the last gain of a residual branch 0, biases 0, temperature 0.07. */
const CONSTANTS: readonly (readonly [RegExp, number])[] = [
  [/layer\d+\.\d+\.bn3\.weight$/, 0],
  [/(bn\d|downsample\.1|ln_\w+)\.weight$/, 1],
  [/bias$/, 0],
  [/^logit_scale$/, Math.log(1 / 0.07)],
]

/** First values of all parameters, by seed and name. Throws RangeError for a name that no rule covers. */
export function startParameters(
  shapes: ReadonlyMap<string, Shape>,
  config: ClipConfig,
  seed: number,
): Map<string, Float32Array> {
  return new Map([...shapes].map(([name, shape]) => [name, startValues(name, shape, config, seed)]))
}

function startValues(name: string, shape: Shape, config: ClipConfig, seed: number): Float32Array {
  const values = new Float32Array(sizeOf(shape))
  const constant = CONSTANTS.find(([pattern]) => pattern.test(name))
  if (constant !== undefined) return values.fill(constant[1])
  const rule = DEVIATIONS.find(([pattern]) => pattern.test(name))
  if (rule === undefined) throw new RangeError(`no rule says how ${name} starts`)
  const deviation = rule[1](shape, config)
  const random = randomFor('start', seed, name)
  return values.map(() => deviation * random.normal())
}
