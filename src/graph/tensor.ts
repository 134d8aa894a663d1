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

function checkSize(shape: Shape, length: number): void {
  if (sizeOf(shape) !== length) {
    throw new ShapeError(`a tensor of shape (${shape.join(', ')}) holds ${sizeOf(shape)} values, not ${length}`)
  }
}
