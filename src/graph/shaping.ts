import { checkArguments, lengths as listOfLengths, wholes } from '../base/arguments.ts'
import { ShapeError } from '../base/errors.ts'
import { type Attributes, apply, expectShapes, expectValues, type Value } from './graph.ts'
import { type Shape, sizeOf } from './tensor.ts'

/** The same values in another shape; one axis may be -1. */
export function reshape(x: Value, shape: Shape): Value {
  expectValues('reshape', [x])
  checkArguments('reshape', { shape }, { shape: wholes })
  const known = shape.reduce((product, n) => (n === -1 ? product : product * n), 1)
  const target = shape.map((n) => (n === -1 ? sizeOf(x.shape) / known : n))
  const fits = target.every(Number.isInteger) && sizeOf(target) === sizeOf(x.shape)
  expectShapes(fits, 'reshape', [x], `as many values as (${shape.join(', ')})`)
  if (target.length === x.shape.length && target.every((n, i) => n === x.shape[i])) return x
  // Without allowzero a length 0 would mean "as it was".
  const attributes: Attributes = target.includes(0) ? { allowzero: 1 } : {}
  return apply('Reshape', [x, x.graph.ints(target)], target, (dy) => [reshape(dy, x.shape), null], attributes)
}

/** Axis i of the result is axis perm[i] of x. */
export function transpose(x: Value, perm: readonly number[]): Value {
  expectValues('transpose', [x])
  checkArguments('transpose', { perm }, { perm: wholes })
  const isPermutation = perm.length === x.shape.length && new Set(perm).size === perm.length
  expectShapes(
    isPermutation && perm.every((p) => x.shape[p] !== undefined),
    'transpose',
    [x],
    `a permutation, not (${perm})`,
  )
  const inverse = perm.map((_, axis) => perm.indexOf(axis))
  return apply(
    'Transpose',
    [x],
    perm.map((p) => x.shape[p] ?? 0),
    (dy) => [transpose(dy, inverse)],
    { perm },
  )
}

/** A part of one axis: start (inclusive) to end (exclusive). */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  expectValues('slice', [x])
  const length = x.shape[axis]
  expectShapes(
    Number.isInteger(axis) &&
      length !== undefined &&
      0 <= start &&
      start <= end &&
      end <= length &&
      [start, end].every(Number.isInteger),
    'slice',
    [x],
    `axis ${axis} has ${start} to ${end}`,
  )
  if (start === 0 && end === length) return x
  const { graph } = x
  return apply(
    'Slice',
    [x, graph.ints([start]), graph.ints([end]), graph.ints([axis])],
    x.shape.map((n, i) => (i === axis ? end - start : n)),
    (dy) => {
      const before = x.shape.map((_, i) => (i === axis ? start : 0))
      const after = x.shape.map((_, i) => (i === axis ? length - end : 0))
      return [pad(dy, before, after), null, null, null]
    },
  )
}

/** The order of one or more axes turned round. */
export function flip(x: Value, axes: readonly number[]): Value {
  expectValues('flip', [x])
  checkArguments('flip', { axes }, { axes: wholes })
  expectShapes(
    new Set(axes).size === axes.length && axes.every((axis) => x.shape[axis] !== undefined),
    'flip',
    [x],
    `axes ${axes}`,
  )
  const { graph } = x
  const all = (n: number) => graph.ints(axes.map(() => n))
  const least = -(2 ** 31)
  return apply('Slice', [x, all(-1), all(least), graph.ints(axes), all(-1)], x.shape, (dy) => [
    flip(dy, axes),
    null,
    null,
    null,
    null,
  ])
}

/** Zeros before and after along each axis. */
export function pad(x: Value, before: readonly number[], after: readonly number[]): Value {
  expectValues('pad', [x])
  checkArguments('pad', { before, after }, { before: wholes, after: wholes })
  const rank = x.shape.length
  const widths = [...before, ...after]
  const fits = before.length === rank && after.length === rank && widths.every((n) => Number.isInteger(n) && n >= 0)
  expectShapes(fits, 'pad', [x], `one width >= 0 an axis, not (${before}) and (${after})`)
  if (widths.every((n) => n === 0)) return x
  return apply(
    'Pad',
    [x, x.graph.ints(widths)],
    x.shape.map((n, i) => n + (before[i] ?? 0) + (after[i] ?? 0)),
    (dy) => [
      x.shape.reduce((part, n, axis) => slice(part, axis, before[axis] ?? 0, (before[axis] ?? 0) + n), dy),
      null,
    ],
  )
}

/** Values one after the other along an axis. Its gradient is `split`. */
export function concat(values: readonly Value[], axis: number): Value {
  expectValues('concat', values)
  const [head, ...rest] = values
  if (head === undefined) throw new ShapeError('concat: nothing to join')
  const fits = values.every(
    (v) => v.shape.length === head.shape.length && v.shape.every((n, i) => i === axis || n === head.shape[i]),
  )
  const isAxis = Number.isInteger(axis) && head.shape[axis] !== undefined
  expectShapes(fits && isAxis, 'concat', values, `all axes but ${axis} are equal`)
  if (rest.length === 0) return head
  const lengths = values.map((v) => v.shape[axis] ?? 0)
  const gradient = (dy: Value) => [...split(dy, axis, lengths)]
  return apply('Concat', [head, ...rest], withLength(head.shape, axis, sumOf(lengths)), gradient, { axis })
}

/**
 * Parts of the given lengths one after the other along an axis, all of it. Its gradient is one `concat`, where slices
 * would each pad theirs with zeros and add them up.
 */
export function split<const Lengths extends readonly number[]>(
  x: Value,
  axis: number,
  lengths: Lengths,
): { readonly [I in keyof Lengths]: Value }
export function split(x: Value, axis: number, lengths: readonly number[]): readonly Value[] {
  expectValues('split', [x])
  checkArguments('split', { lengths }, { lengths: wholes })
  const fits =
    Number.isInteger(axis) && x.shape[axis] === sumOf(lengths) && lengths.every((n) => Number.isInteger(n) && n >= 0)
  expectShapes(fits && lengths.length > 0, 'split', [x], `lengths ${lengths} along axis ${axis}`)
  if (lengths.length === 1) return [x]
  const { graph } = x
  const shapes = lengths.map((n) => withLength(x.shape, axis, n))
  const zeros = (shape: Shape) => expand(graph.scalar(0), shape)
  return graph.apply({
    op: 'Split',
    inputs: [x, graph.ints(lengths)],
    attributes: { axis },
    outputs: shapes.map((shape) => ({ shape, dtype: x.dtype })),
    gradient: (...dys) => [
      concat(
        shapes.map((shape, i) => dys[i] ?? zeros(shape)),
        axis,
      ),
      null,
    ],
  })
}

const sumOf = (lengths: readonly number[]) => lengths.reduce((a, b) => a + b, 0)

const withLength = (shape: Shape, axis: number, length: number): Shape => shape.map((n, i) => (i === axis ? length : n))

/** x repeated along its axes of length 1 (and new axes in front) until it has the given shape. */
export function expand(x: Value, shape: Shape): Value {
  expectValues('expand', [x])
  checkArguments('expand', { shape }, { shape: listOfLengths })
  const lead = shape.length - x.shape.length
  expectShapes(
    lead >= 0 && x.shape.every((n, i) => n === 1 || n === shape[lead + i]),
    'expand',
    [x],
    `(${shape.join(', ')})`,
  )
  if (lead === 0 && x.shape.every((n, i) => n === shape[i])) return x
  return apply('Expand', [x, x.graph.ints(shape)], shape, (dy) => [dy, null])
}
