import { aFlag, checkArguments, wholes } from '../base/arguments.ts'
import { mul, scale } from './elementwise.ts'
import { apply, expectShapes, expectValues, type Value } from './graph.ts'
import { expand, reshape } from './shaping.ts'
import type { Shape } from './tensor.ts'

/** Sum over axes, which stay with length 1 (`keep`) or go. */
export function sum(x: Value, axes: readonly number[], keep = false): Value {
  checkReduction('sum', x, axes, keep)
  return reduce('ReduceSum', x, axes, keep, (dy) => dy)
}

/** Mean over axes. */
export function mean(x: Value, axes: readonly number[], keep = false): Value {
  checkReduction('mean', x, axes, keep)
  const count = axes.reduce((product, axis) => product * (x.shape[axis] ?? 1), 1)
  return reduce('ReduceMean', x, axes, keep, (dy) => scale(dy, 1 / count))
}

/** Sum of squares over axes: d = 2 x dy */
export function sumSquares(x: Value, axes: readonly number[], keep = false): Value {
  checkReduction('sumSquares', x, axes, keep)
  if (axes.length === 0) return mul(x, x)
  return reduce('ReduceSumSquare', x, axes, keep, (dy) => scale(mul(dy, x), 2))
}

/** Largest entry over axes; made for shifting exponents, where its gradient cancels: none is defined. */
export function max(x: Value, axes: readonly number[], keep = false): Value {
  checkReduction('max', x, axes, keep)
  return reduce('ReduceMax', x, axes, keep, 'none')
}

/** Index of the largest entry along the last axis, the first of several, as int64; no gradient. */
export function argmax(x: Value): Value {
  expectValues('argmax', [x])
  expectShapes(x.shape.length > 0, 'argmax', [x], 'at least one axis')
  const axis = x.shape.length - 1
  return apply('ArgMax', [x], x.shape.slice(0, -1), 'none', { axis, keepdims: 0 }, 'int64')
}

function checkReduction(op: string, x: Value, axes: readonly number[], keep: boolean): void {
  expectValues(op, [x])
  checkArguments(op, { axes, keep }, { axes: wholes, keep: aFlag })
}

/** Sums over axes that were broadcast, so that the result has the given shape. */
export function sumTo(x: Value, shape: Shape): Value {
  const lead = x.shape.length - shape.length
  const axes = x.shape.flatMap((n, i) => (i < lead || (shape[i - lead] === 1 && n !== 1) ? [i] : []))
  return reshape(axes.length === 0 ? x : sum(x, axes, true), shape)
}

function reduce(
  op: string,
  x: Value,
  axes: readonly number[],
  keep: boolean,
  gradient: ((dyKept: Value) => Value) | 'none',
): Value {
  const valid = new Set(axes).size === axes.length && axes.every((axis) => x.shape[axis] !== undefined)
  expectShapes(valid, op, [x], `axes ${axes}`)
  if (axes.length === 0) return x
  const kept = x.shape.map((n, i) => (axes.includes(i) ? 1 : n))
  const shape = keep ? kept : x.shape.filter((_, i) => !axes.includes(i))
  return apply(
    op,
    [x, x.graph.ints(axes)],
    shape,
    gradient === 'none' ? 'none' : (dy) => [expand(gradient(reshape(dy, kept)), x.shape), null],
    { keepdims: keep ? 1 : 0 },
  )
}
