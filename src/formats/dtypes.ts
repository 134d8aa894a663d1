import { sharedFloats } from '../graph/tensor.ts'
import { halfToFloat } from './half.ts'

/** Bytes a value takes, by safetensors' names for types that are read here. */
export const DTYPE_BYTES = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const

export type Dtype = keyof typeof DTYPE_BYTES

/** Bits of a value of the format's other types, which a file may have as long as nobody reads them. */
export const OTHER_BITS: ReadonlyMap<string, number> = new Map([
  ['F8_E4M3', 8],
  ['F8_E5M2', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['F4', 4],
  ['U16', 16],
  ['U32', 32],
  ['U64', 64],
  ['C64', 64],
])

type Decoders<T, Into = never> = Partial<Record<Dtype, (bytes: Uint8Array, into?: Into) => T>>

/**
 * Little-endian bytes as float32 values, in shared memory (see sharedFloats), so that a model's weights are there once for all
 * threads: a copy, but of float32 that have shared memory of their own. Types that are no floating-point numbers have no decoder.
 */
export const FLOAT_DECODERS: Decoders<Float32Array, Float32Array> = {
  F64: (bytes, into) => filled(into, bytes.length / 8, (values) => values.set(new Float64Array(aligned(bytes)))),
  F32: (bytes, into) =>
    (into ? undefined : inPlace(bytes)) ?? filled(into, bytes.length / 4, (x) => bytesOf(x).set(bytes)),
  F16: (bytes, into) => filled(into, bytes.length / 2, (values) => halfToFloat(wordsOf(bytes), values)),
  BF16: (bytes, into) => filled(into, bytes.length / 2, (values) => brainToFloat(wordsOf(bytes), values)),
}

/** The same for integers. */
export const INT_DECODERS: Decoders<ArrayLike<number> | BigInt64Array> = {
  I64: (bytes) => new BigInt64Array(aligned(bytes)),
  I32: (bytes) => new Int32Array(aligned(bytes)),
  I16: (bytes) => new Int16Array(aligned(bytes)),
  I8: (bytes) => new Int8Array(aligned(bytes)),
  U8: (bytes) => bytes,
  BOOL: (bytes) => bytes,
}

/** bfloat16 is the upper half of a float32. */
function brainToFloat(words: Uint16Array, values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < words.length; i++) bits[i] = words[i]! << 16
}

/** Those of a file that were read into shared memory for this alone. */
function inPlace({ buffer, byteLength }: Uint8Array): Float32Array | undefined {
  const isAlone = typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer
  return isAlone && byteLength === buffer.byteLength ? new Float32Array(buffer) : undefined
}

/** @param into memory to take, else there is new one */
function filled(into: Float32Array | undefined, length: number, fill: (values: Float32Array) => void): Float32Array {
  const values = into?.subarray(0, length) ?? sharedFloats(length)
  fill(values)
  return values
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength)

const wordsOf = (bytes: Uint8Array): Uint16Array =>
  bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint16Array(aligned(bytes))

/** A private copy: values may begin at any byte of a file, and the source may reuse its buffer. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
