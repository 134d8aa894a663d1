// IEEE 754 half precision (float16): 1 sign bit, 5 of exponent, 10 of mantissa.

import { CoopError } from '../base/errors.ts'

let table: Float32Array | undefined

/** float16 bit patterns to float32 values, exactly; into `values`, as many. */
export function halfToFloat(bits: Uint16Array, values: Float32Array = new Float32Array(bits.length)): Float32Array {
  table ??= Float32Array.from({ length: 1 << 16 }, (_, pattern) => halfValue(pattern))
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]!]!
  return values
}

function halfValue(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1
  const exponent = (pattern >> 10) & 0x1f
  const mantissa = pattern & 0x3ff
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  if (exponent === 0) return sign * mantissa * 2 ** -24
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

/** float32 values to float16 bit patterns, rounded to the nearest, ties to even; too large becomes infinite. */
export function floatToHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const half = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) half[i] = halfBits(bits[i]!)
  return half
}

/** Types of floating-point numbers that files are written in. */
export const FLOAT_TYPES = ['float32', 'float16'] as const
export type FloatType = (typeof FLOAT_TYPES)[number]

/** The same. Throws CoopError, naming `what`, for a value that float16 cannot hold. */
export function finiteHalf(values: Float32Array, what: string): Uint16Array {
  const half = floatToHalf(values)
  const lost = half.findIndex((bits, i) => (bits & 0x7fff) === 0x7c00 && Number.isFinite(values[i]))
  if (lost < 0) return half
  throw new CoopError(`${what} has the value ${values[lost]}, too large for float16`, 'write it as float32')
}

const INFINITY_32 = 0x7f800000
/** 65520, halfway between the largest float16 and the next power: it and all above round to infinity. */
const OVERFLOW_32 = 0x477ff000
/** 2^-14, the smallest normal float16. */
const SMALLEST_NORMAL_32 = 0x38800000
/** Difference of the exponent biases, 127 - 15, in a float32's exponent bits. */
const BIAS_SHIFT = (127 - 15) << 23

function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > INFINITY_32) return sign | 0x7e00
  if (magnitude >= OVERFLOW_32) return sign | 0x7c00
  if (magnitude < SMALLEST_NORMAL_32) return sign | subnormalBits(magnitude)
  const tieToEven = (magnitude >>> 13) & 1
  return sign | ((magnitude + 0xfff + tieToEven - BIAS_SHIFT) >>> 13)
}

/** A subnormal float16 counts multiples of 2^-24. */
function subnormalBits(magnitude: number): number {
  const exponent = magnitude >>> 23
  if (exponent < 102) return 0
  const mantissa = (magnitude & 0x7fffff) | 0x800000
  const shift = 126 - exponent
  const tieToEven = (mantissa >>> shift) & 1
  return (mantissa + (1 << (shift - 1)) - 1 + tieToEven) >>> shift
}
