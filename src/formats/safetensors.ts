import { aText, bytes, checkArguments } from '../base/arguments.ts'
import { CoopError, FileError } from '../base/errors.ts'
import {
  type FloatTensor,
  floatTensor,
  type IntTensor,
  intTensor,
  type Shape,
  type StoredPlace,
  type StoredValues,
  sharedFloats,
  sizeOf,
} from '../graph/tensor.ts'
import { DTYPE_BYTES, type Dtype, FLOAT_DECODERS, INT_DECODERS, OTHER_BITS } from './dtypes.ts'
import { type FloatType, finiteHalf } from './half.ts'
import { isObject, parseJson } from './json.ts'

/** Random access to bytes: a file, a blob, a buffer. `read` gives exactly `length` bytes. */
export interface ByteSource {
  /** What messages call it: a path or a URL. */
  readonly name: string
  readonly size: number
  read(offset: number, length: number): Promise<Uint8Array>
  /** Of a file: the same without waiting, into memory that is there, as long as the file is what it was. */
  readonly now?: StoredFile
}

/** A file that is read when its values are asked for. */
export interface StoredFile {
  /** Absolute. */
  readonly path: string
  /** Tells it from what it may become. */
  readonly state: string
  /** Fills `into` from an offset. Throws FileError when the file is not what it was when it was opened. */
  read(into: Uint8Array, offset: number): void
}

/** Where one tensor is; offsets count from the first byte of the file. */
export interface TensorEntry {
  /** By the format's names; one that no DTYPE_BYTES has cannot be read. */
  readonly dtype: string
  readonly shape: Shape
  readonly offset: number
  readonly length: number
}

/** An opened safetensors file: the header is checked, tensors are read on demand. */
export interface SafetensorsFile {
  readonly name: string
  readonly metadata: ReadonlyMap<string, string>
  readonly entries: ReadonlyMap<string, TensorEntry>
  /** A floating-point tensor as float32. Throws FileError when it is missing or holds integers. */
  readFloat(tensor: string): Promise<FloatTensor>
  /** The values of a floating-point tensor, to be read when they are asked for; undefined where that is not possible. */
  stored(tensor: string): StoredValues | undefined
  /** An integer or boolean tensor as int64. Throws FileError when it is missing or holds floats. */
  readInt(tensor: string): Promise<IntTensor>
}

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000
const LENGTH_BYTES = 8

/** Bytes in memory as a ByteSource. */
export function bytesSource(name: string, given: Uint8Array): ByteSource {
  checkArguments('bytesSource', { name, bytes: given }, { name: aText, bytes })
  return {
    name,
    size: given.byteLength,
    read: async (offset, length) => given.subarray(offset, offset + length),
  }
}

/**
 * Opens a safetensors file and checks its whole header: tensors must fill the data section without holes or
 * overlap, and every length must follow from shape and type.
 * Throws FileError, naming file and tensor, for anything else.
 * Format: https://github.com/huggingface/safetensors#format
 */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const headerLength = await readHeaderLength(source)
  const dataStart = LENGTH_BYTES + headerLength
  const header = parseHeader(source.name, await readExactly(source, LENGTH_BYTES, headerLength))
  const metadata = readMetadata(source.name, header.get('__metadata__'))
  header.delete('__metadata__')
  const entries = new Map<string, TensorEntry>()
  for (const [tensor, value] of header) entries.set(tensor, readEntry(source.name, tensor, value, dataStart))
  checkLayout(source, entries, dataStart)

  const bytesOf = async (tensor: string) => {
    const entry = entries.get(tensor)
    if (entry === undefined) throw broken(source.name, `there is no tensor "${tensor}"`)
    return { entry, bytes: await readExactly(source, entry.offset, entry.length) }
  }
  return {
    name: source.name,
    metadata,
    entries,
    async readFloat(tensor) {
      const { entry, bytes } = await bytesOf(tensor)
      const decode = isDtype(entry.dtype) ? FLOAT_DECODERS[entry.dtype] : undefined
      if (decode === undefined) throw wrongType(source.name, tensor, entry, 'floating-point numbers')
      return floatTensor(entry.shape, decode(bytes))
    },
    stored: (tensor) => {
      const entry = entries.get(tensor)
      return entry && source.now && storedFloats(source.now, entry)
    },
    async readInt(tensor) {
      const { entry, bytes } = await bytesOf(tensor)
      const decode = isDtype(entry.dtype) ? INT_DECODERS[entry.dtype] : undefined
      if (decode === undefined) throw wrongType(source.name, tensor, entry, 'integers')
      return intTensor(entry.shape, decode(bytes))
    },
  }
}

/** Types whose values ONNX Runtime takes from a file as they lie there. */
const AS_THEY_LIE: ReadonlyMap<string, StoredPlace['dtype']> = new Map([
  ['F32', 'float32'],
  ['F16', 'float16'],
])

function storedFloats(file: StoredFile, { dtype, shape, offset }: TensorEntry): StoredValues | undefined {
  const decode = isDtype(dtype) ? FLOAT_DECODERS[dtype] : undefined
  if (decode === undefined || !isDtype(dtype)) return undefined
  const size = DTYPE_BYTES[dtype]
  const asItLies = AS_THEY_LIE.get(dtype)
  let scratch = new Uint8Array()
  return {
    length: sizeOf(shape),
    place: asItLies && { path: file.path, state: file.state, offset, dtype: asItLies },
    read(start, end, into) {
      if (dtype === 'F32') {
        const values = into?.subarray(0, end - start) ?? sharedFloats(end - start)
        file.read(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset + start * size)
        return values
      }
      const bytes = (end - start) * size
      if (scratch.length < bytes) scratch = new Uint8Array(bytes)
      file.read(scratch.subarray(0, bytes), offset + start * size)
      return decode(scratch.subarray(0, bytes), into)
    },
  }
}

async function readExactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await source.read(offset, length)
  if (bytes.byteLength !== length) {
    throw broken(source.name, `read ${bytes.byteLength} bytes at ${offset} instead of ${length} (truncated?)`)
  }
  return bytes
}

async function readHeaderLength(source: ByteSource): Promise<number> {
  if (source.size < LENGTH_BYTES) throw broken(source.name, `${source.size} bytes are too few for a header`)
  const bytes = await readExactly(source, 0, LENGTH_BYTES)
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true)
  if (length > MAX_HEADER_BYTES) throw broken(source.name, `it states a header of ${length} bytes (limit 100 MB)`)
  if (Number(length) > source.size - LENGTH_BYTES) {
    throw broken(source.name, `it states a header of ${length} bytes, but the whole file has ${source.size}`)
  }
  return Number(length)
}

function parseHeader(file: string, bytes: Uint8Array): Map<string, unknown> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw broken(file, 'its header is not UTF-8', cause)
  }
  const header = parseJson(text, `${file} (header)`)
  if (!isObject(header)) throw broken(file, 'its header is not a JSON object')
  return new Map(Object.entries(header))
}

function readMetadata(file: string, value: unknown): Map<string, string> {
  const metadata = new Map<string, string>()
  if (value === undefined) return metadata
  if (!isObject(value)) throw broken(file, '__metadata__ is not an object')
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw broken(file, `__metadata__ entry "${key}" is not a string`)
    metadata.set(key, text)
  }
  return metadata
}

function readEntry(file: string, tensor: string, value: unknown, dataStart: number): TensorEntry {
  const fail = (what: string) => broken(file, `tensor "${tensor}": ${what}`)
  if (!isObject(value)) throw fail('its entry is not an object')
  const { dtype, shape, data_offsets: offsets } = value
  const bits = bitsOf(dtype)
  if (typeof dtype !== 'string' || bits === undefined) throw fail(`dtype ${show(dtype)} is not one of the format's`)
  if (!isCounts(shape)) throw fail(`shape ${show(shape)} is not a list of sizes`)
  if (!isCounts(offsets) || offsets.length !== 2) throw fail(`data_offsets ${show(offsets)} are not two numbers`)
  const [begin = 0, end = 0] = offsets
  const expected = Math.ceil((sizeOf(shape) * bits) / 8)
  if (end - begin !== expected) {
    throw fail(`shape (${shape.join(', ')}) of ${dtype} takes ${expected} bytes, but its offsets span ${end - begin}`)
  }
  return { dtype, shape, offset: dataStart + begin, length: expected }
}

/** Tensors must follow one another from the first byte of data to the last byte of the file. */
function checkLayout(source: ByteSource, entries: ReadonlyMap<string, TensorEntry>, dataStart: number): void {
  const inOrder = [...entries].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length)
  let end = dataStart
  for (const [tensor, { offset, length }] of inOrder) {
    if (offset + length > source.size) {
      const missing = offset + length - source.size
      throw broken(source.name, `tensor "${tensor}" ends ${missing} bytes after the end of the file (truncated?)`)
    }
    if (offset < end) throw broken(source.name, `tensor "${tensor}" overlaps the one before it`)
    if (offset > end) throw broken(source.name, `there is a gap of ${offset - end} bytes before tensor "${tensor}"`)
    end = offset + length
  }
  if (end !== source.size) throw broken(source.name, `${source.size - end} bytes at its end belong to no tensor`)
}

function broken(file: string, what: string, cause?: unknown): FileError {
  return new FileError(`${file} is not a valid safetensors file: ${what}`, 'download or write the file again', {
    cause,
  })
}

function wrongType(file: string, tensor: string, { dtype }: TensorEntry, wanted: string): FileError {
  if (isDtype(dtype)) {
    return new FileError(
      `${file}: tensor "${tensor}" holds ${dtype}, expected ${wanted}`,
      'download or write the file again',
    )
  }
  return new FileError(
    `${file}: tensor "${tensor}" is of type ${dtype}, which is not supported`,
    'save it again as float32 (tensor.float())',
  )
}

/** A value of the header for a message; it comes from the file, so it may be long, or nested past what can be printed. */
function show(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 80)
  } catch {
    return 'nested too deeply'
  }
}

function bitsOf(dtype: unknown): number | undefined {
  if (isDtype(dtype)) return 8 * DTYPE_BYTES[dtype]
  return typeof dtype === 'string' ? OTHER_BITS.get(dtype) : undefined
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && Object.hasOwn(DTYPE_BYTES, value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)
}

export interface WriteOptions {
  /** Type of the floating-point tensors in the file. */
  readonly dtype?: FloatType
}

/**
 * The bytes of a safetensors file: float tensors as `dtype` (default float32, float16 rounds to nearest even), integer
 * tensors as int64. The same tensors give the same bytes, whatever their order.
 * Throws CoopError for a value that float16 cannot hold.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, FloatTensor | IntTensor>,
  metadata: Readonly<Record<string, string>> = {},
  { dtype = 'float32' }: WriteOptions = {},
): Uint8Array<ArrayBuffer> {
  const parts = [...tensors]
    .map(([name, tensor]) => ({ name, shape: tensor.shape, ...encode(name, tensor, dtype) }))
    // Wide types first, so that every tensor is aligned to its type.
    .sort((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || (a.name < b.name ? -1 : 1))
  const entries: [string, unknown][] = []
  let dataLength = 0
  for (const { name, dtype, shape, bytes } of parts) {
    if (name === '__metadata__') throw new CoopError('a tensor cannot be called "__metadata__"')
    entries.push([name, { dtype, shape, data_offsets: [dataLength, dataLength + bytes.length] }])
    dataLength += bytes.length
  }
  if (Object.keys(metadata).length > 0) entries.unshift(['__metadata__', metadata])
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const headerLength = Math.ceil(text.length / 8) * 8

  const file = new Uint8Array(LENGTH_BYTES + headerLength + dataLength)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true)
  file.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerLength)
  file.set(text, LENGTH_BYTES)
  let offset = LENGTH_BYTES + headerLength
  for (const { bytes } of parts) {
    file.set(bytes, offset)
    offset += bytes.length
  }
  return file
}

function encode(name: string, tensor: FloatTensor | IntTensor, dtype: FloatType) {
  const { data } = tensor
  if (tensor.dtype === 'int64') return { dtype: 'I64' as const, bytes: bytesOf(data) }
  if (dtype === 'float32') return { dtype: 'F32' as const, bytes: bytesOf(data) }
  return { dtype: 'F16' as const, bytes: bytesOf(finiteHalf(tensor.data, `tensor "${name}"`)) }
}

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
