import { halfToFloat } from './half.ts'

/** Bytes a value takes, by safetensors' names for types. */
export const DTYPE_BYTES = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const

export type Dtype = keyof typeof DTYPE_BYTES

type Decoders<T> = Partial<Record<Dtype, (bytes: Uint8Array<ArrayBuffer>) => T>>

/** Little-endian bytes, aligned, as float32 values; types that are no floating-point numbers have no decoder. */
export const FLOAT_DECODERS: Decoders<Float32Array> = {
  F64: (bytes) => Float32Array.from(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)),
  F32: (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  F16: (bytes) => halfToFloat(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)),
  BF16: (bytes) => brainToFloat(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)),
}

/** The same for integers. */
export const INT_DECODERS: Decoders<ArrayLike<number> | BigInt64Array> = {
  I64: (bytes) => new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8),
  I32: (bytes) => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  I16: (bytes) => new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2),
  I8: (bytes) => new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length),
  U8: (bytes) => bytes,
  BOOL: (bytes) => bytes,
}

/** bfloat16 is the upper half of a float32. */
function brainToFloat(words: Uint16Array): Float32Array {
  const bits = new Uint32Array(words.length)
  for (let i = 0; i < words.length; i++) bits[i] = words[i]! << 16
  return new Float32Array(bits.buffer)
}

/** A private, 8-byte-aligned copy: callers may keep it, and the source may reuse its buffer. */
export function aligned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}
