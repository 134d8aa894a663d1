import {
  add,
  dims,
  gelu,
  layerNorm,
  matmul,
  quickGelu,
  reshape,
  split,
  transpose,
  type Value,
} from '../../graph/index.ts'
import type { Activation, TransformerConfig } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'

const ACTIVATIONS: Record<Activation, (x: Value) => Value> = { quick_gelu: quickGelu, gelu }

/** x W^T + b: x `(rows, from)` -> `(rows, to)`. */
export function linear(p: Parameters, name: string, x: Value, to: number): Value {
  const [, from] = dims(x, 2, `the input of ${name}weight`)
  return add(matmul(x, p(`${name}weight`, [to, from]), { transB: true }), p(`${name}bias`, [to]))
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
  const attn = under(p, 'attn.')
  const qkv = linear(attn, 'in_proj_', norm(p, 'ln_1', x, epsilon), 3 * width)
  const attended = add(keep(x), linear(attn, 'out_proj.', mix(qkv), width))
  const hidden = ACTIVATIONS[activation](linear(p, 'mlp.c_fc.', norm(p, 'ln_2', attended, epsilon), mlpWidth))
  return add(attended, linear(p, 'mlp.c_proj.', hidden, width))
}

/** Queries, keys and values of n sequences of one length: `(n length, 3 width)` -> three `(heads, n, length, width / heads)`. */
export function headsOf(qkv: Value, heads: number, n: number): { q: Value; k: Value; v: Value } {
  const [rows, triple] = dims(qkv, 2)
  const length = rows / n
  const d = triple / 3 / heads
  const turned = transpose(reshape(qkv, [n, length, 3, heads, d]), [2, 3, 0, 1, 4])
  const [q, k, v] = split(turned, 0, [1, 1, 1])
  const shape = [heads, n, length, d]
  return { q: reshape(q, shape), k: reshape(k, shape), v: reshape(v, shape) }
}

/** `(heads, n, length, width / heads)` -> rows `(n length, width)`. */
export function rowsOf(heads: Value): Value {
  const [h, n, length, d] = dims(heads, 4)
  return reshape(transpose(heads, [1, 2, 0, 3]), [n * length, h * d])
}
