import { checkArguments, lengths, someFloats, someWholes } from '../base/arguments.ts'
import { ShapeError, UsageError } from '../base/errors.ts'

/** Sizes of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[]

/** Numbers in float32, in row-major order, with their shape. */
export interface FloatTensor {
  readonly dtype: 'float32'
  readonly shape: Shape
  readonly data: Float32Array
}

/** Whole numbers in int64, in row-major order, with their shape. */
export interface IntTensor {
  readonly dtype: 'int64'
  readonly shape: Shape
  readonly data: BigInt64Array
}

/** What programs are fed with, and what constants hold. */
export type Tensor = FloatTensor | IntTensor

/** What else weights are stored as: bit patterns of half precision, and the whole numbers of 8-bit arithmetic (see int8.ts). */
export type PackedTensor =
  | { readonly dtype: 'float16'; readonly shape: Shape; readonly data: Uint16Array }
  | { readonly dtype: 'int8'; readonly shape: Shape; readonly data: Int8Array }
  | { readonly dtype: 'uint8'; readonly shape: Shape; readonly data: Uint8Array }
  | { readonly dtype: 'int32'; readonly shape: Shape; readonly data: Int32Array }

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
 * @throws ShapeError when it has more or fewer axes; UsageError for what has no shape
 */
export function dims<Rank extends keyof Axes>(x: { readonly shape: Shape }, rank: Rank, what = 'shape'): Axes[Rank] {
  const shape = x?.shape
  if (!Array.isArray(shape))
    throw new UsageError(`${what} must be something with a shape, as a tensor or a value has it`)
  if (hasRank(shape, rank)) return shape
  throw new ShapeError(`${what}: (${shape.join(', ')}) is not of rank ${rank}`)
}

function hasRank<Rank extends keyof Axes>(shape: Shape, rank: Rank): shape is Axes[Rank] {
  return shape.length === rank
}

/** Number of elements of a shape. Throws UsageError for what is no list. */
export function sizeOf(shape: Shape): number {
  if (!Array.isArray(shape) || !shape.every(Number.isInteger)) {
    throw new UsageError('sizeOf takes a list of lengths, whole numbers from 0 up')
  }
  return shape.reduce((product, n) => product * n, 1)
}

/** A float32 tensor, of zeros where no data are given. Throws ShapeError when data and shape do not fit. */
export function floatTensor(shape: Shape, data?: Float32Array): FloatTensor {
  checkArguments('floatTensor', { shape, data }, { shape: lengths, data: someFloats.optional() })
  if (data === undefined && sizeOf(shape) > MOST)
    throw new ShapeError(`a tensor of shape (${shape.join(', ')}) is too large`)
  if (data === undefined) return { dtype: 'float32', shape, data: new Float32Array(sizeOf(shape)) }
  checkSize(shape, data.length)
  return { dtype: 'float32', shape, data }
}

/** Values of a tensor at most, which is more than memories hold. */
const MOST = 2 ** 32

/** An int64 tensor from numbers or bigints; throws ShapeError when data and shape do not fit. */
export function intTensor(shape: Shape, values: ArrayLike<number> | BigInt64Array): IntTensor {
  checkArguments('intTensor', { shape, values }, { shape: lengths, values: someWholes })
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
