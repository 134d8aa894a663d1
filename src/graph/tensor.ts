import { ShapeError } from '../base/errors.ts'

/** Sizes of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[]

/** Values in row-major order with their shape. */
export interface FloatTensor {
  readonly dtype: 'float32'
  readonly shape: Shape
  readonly data: Float32Array
}

export interface IntTensor {
  readonly dtype: 'int64'
  readonly shape: Shape
  readonly data: BigInt64Array
}

export type Tensor = FloatTensor | IntTensor

/** Lengths of this many axes. */
interface Axes {
  0: readonly []
  1: readonly [number]
  2: readonly [number, number]
  3: readonly [number, number, number]
  4: readonly [number, number, number, number]
  5: readonly [number, number, number, number, number]
}

/**
 * The lengths of exactly `rank` axes: `const [n, d] = dims(x, 2, 'features')`.
 *
 * @param what the tensor or the operator, for the message
 * @throws ShapeError when it has more or fewer axes
 */
export function dims<Rank extends keyof Axes>(x: { readonly shape: Shape }, rank: Rank, what = 'shape'): Axes[Rank] {
  const { shape } = x
  if (hasRank(shape, rank)) return shape
  throw new ShapeError(`${what}: (${shape.join(', ')}) is not of rank ${rank}`)
}

function hasRank<Rank extends keyof Axes>(shape: Shape, rank: Rank): shape is Axes[Rank] {
  return shape.length === rank
}

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1)
}

/** A float32 tensor; throws ShapeError when data and shape do not fit. */
export function floatTensor(shape: Shape, data: Float32Array = new Float32Array(sizeOf(shape))): FloatTensor {
  checkSize(shape, data.length)
  return { dtype: 'float32', shape, data }
}

/** An int64 tensor from numbers or bigints; throws ShapeError when data and shape do not fit. */
export function intTensor(shape: Shape, values: ArrayLike<number> | BigInt64Array): IntTensor {
  checkSize(shape, values.length)
  const data = values instanceof BigInt64Array ? values : BigInt64Array.from(Array.from(values, BigInt))
  return { dtype: 'int64', shape, data }
}

/** Zeros in memory that a worker sees without a copy; in plain memory on a page that may not share any. */
export function sharedFloats(length: number): Float32Array {
  if (typeof SharedArrayBuffer === 'undefined') return new Float32Array(length)
  return new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT))
}

function checkSize(shape: Shape, length: number): void {
  if (sizeOf(shape) !== length) {
    throw new ShapeError(`a tensor of shape (${shape.join(', ')}) holds ${sizeOf(shape)} values, not ${length}`)
  }
}
