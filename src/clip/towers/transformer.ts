import {
  add,
  dims,
  gelu,
  layerNorm,
  matmul,
  normalisedProduct,
  QUICK_GELU,
  scale,
  silu,
  type Value,
} from '../../graph/index.ts'
import type { Activation, TransformerConfig } from '../types.ts'
import type { Parameters } from '../weights/parameters.ts'

/** Each is f(factor x) / factor: products take factors at no cost. */
const ACTIVATIONS: Record<Activation, { f: (x: Value) => Value; factor: number }> = {
  quick_gelu: { f: silu, factor: QUICK_GELU },
  gelu: { f: gelu, factor: 1 },
}

/** alpha x W^T + b: x `(rows, from)` -> `(rows, to)`. */
export function linear(p: Parameters, name: string, x: Value, to: number, alpha = 1): Value {
  const [, from] = dims(x, 2, `the input of ${name}weight`)
  return add(matmul(x, p(`${name}weight`, [to, from]), { transB: true, alpha }), p(`${name}bias`, [to]))
}

/** alpha (ln(x) W^T + b) */
function normLinear(
  p: Parameters,
  [normName, epsilon]: readonly [string, number],
  name: string,
  x: Value,
  to: number,
  alpha = 1,
): Value {
  const [, from] = dims(x, 2, `the input of ${normName}`)
  const [gamma, beta] = [p(`${normName}.weight`, [from]), p(`${normName}.bias`, [from])]
  const product = normalisedProduct(x, gamma, beta, epsilon, p(`${name}weight`, [to, from]), alpha)
  return add(product, scale(p(`${name}bias`, [to]), alpha))
}

export function norm(p: Parameters, name: string, x: Value, epsilon: number): Value {
  const [, width] = dims(x, 2, `the input of ${name}`)
  return layerNorm(x, p(`${name}.weight`, [width]), p(`${name}.bias`, [width]), epsilon)
}

/**
 * A pre-norm block over rows `(tokens, width)` of whatever sequences: x + attention(ln_1 x), then x + mlp(ln_2 x).
 *
 * @param mix queries, keys and values `(tokens, 3 width)` -> attended rows; may return fewer rows than it gets
 * @param keep the rows of x that `mix` returns, when not all
 */
export function block(
  p: Parameters,
  config: TransformerConfig,
  x: Value,
  mix: (qkv: Value) => Value,
  keep: (x: Value) => Value = (all) => all,
): Value {
  const { width, mlpWidth, activation, layerNormEpsilon: epsilon } = config
  const { f, factor } = ACTIVATIONS[activation]
  const qkv = normLinear(p, ['ln_1', epsilon], 'attn.in_proj_', x, 3 * width)
  const attended = add(keep(x), linear(p, 'attn.out_proj.', mix(qkv), width))
  const hidden = f(normLinear(p, ['ln_2', epsilon], 'mlp.c_fc.', attended, mlpWidth, factor))
  return add(attended, linear(p, 'mlp.c_proj.', hidden, width, 1 / factor))
}
