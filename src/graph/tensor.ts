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

/** Values that lie in a file and are read when they are asked for. */
export interface StoredValues {
  readonly length: number
  /**
   * Those from `start` up to `end`, in new memory, or in `into` where that is given.
   * @throws FileError where the file is not what it was when it was opened, or has values that are no finite numbers
   */
  read(start: number, end: number, into?: Float32Array): Float32Array
  /** Where they are, if they lie there one after the other. */
  readonly place?: StoredPlace
}

export interface StoredPlace {
  /** Absolute. */
  readonly path: string
  /** Tells the file from what it may become. */
  readonly state: string
  /** In bytes. */
  readonly offset: number
  readonly dtype: 'float32' | 'float16'
}

const stored = new WeakMap<object, StoredValues>()

/** A tensor whose values are read as soon as its data are asked for. */
export function storedTensor(shape: Shape, values: StoredValues): FloatTensor {
  checkSize(shape, values.length)
  let data: Float32Array | undefined
  const tensor: FloatTensor = {
    dtype: 'float32',
    shape,
    get data() {
      data ??= values.read(0, values.length)
      return data
    },
  }
  stored.set(tensor, {
    ...values,
    read: (start, end, into) => (data === undefined ? values.read(start, end, into) : data.subarray(start, end)),
  })
  return tensor
}

/** Where the values of a tensor come from, if that is a file. */
export const storedValues = (tensor: object): StoredValues | undefined => stored.get(tensor)

/** Some of a tensor's values; of one that is stored nothing else is read. */
export const valuesOf = (tensor: FloatTensor, start: number, end: number): Float32Array =>
  storedValues(tensor)?.read(start, end) ?? tensor.data.subarray(start, end)

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
