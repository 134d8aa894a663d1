import { inflateSync } from 'node:zlib'
import { FileError } from '../../base/errors.ts'
import { readBytes } from '../../node/files.ts'

/** An array of MATLAB, its elements in column-major order. */
export type MatValue =
  | { readonly kind: 'numbers'; readonly data: readonly number[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'cells'; readonly cells: readonly MatValue[] }
  | { readonly kind: 'structs'; readonly structs: readonly ReadonlyMap<string, MatValue>[] }

const HEADER = 128
/** A variable that unpacks to more is no annotation but a zip bomb. */
const MAX_VARIABLE = 1 << 28
/** Cells within cells within cells: deeper is damage. */
const MAX_DEPTH = 16

// Types of elements and classes of arrays, "MAT-File Format" (The MathWorks), level 5, tables 1-1 and 1-3.
const UTF8 = 16
const UTF16 = 17
const MATRIX = 14
const COMPRESSED = 15
const CELL_CLASS = 1
const STRUCT_CLASS = 2
const CHAR_CLASS = 4
const NUMBER_CLASSES = { from: 6, to: 15 }

/** Bytes of a number and how it is read, by type of element. */
const NUMBERS: Readonly<
  Record<number, readonly [bytes: number, read: (view: DataView, at: number, little: boolean) => number]>
> = {
  1: [1, (view, at) => view.getInt8(at)],
  2: [1, (view, at) => view.getUint8(at)],
  3: [2, (view, at, little) => view.getInt16(at, little)],
  4: [2, (view, at, little) => view.getUint16(at, little)],
  5: [4, (view, at, little) => view.getInt32(at, little)],
  6: [4, (view, at, little) => view.getUint32(at, little)],
  7: [4, (view, at, little) => view.getFloat32(at, little)],
  9: [8, (view, at, little) => view.getFloat64(at, little)],
  12: [8, (view, at, little) => Number(view.getBigInt64(at, little))],
  13: [8, (view, at, little) => Number(view.getBigUint64(at, little))],
}

/**
 * The variables of a MATLAB file of level 5 (version 5 to 7), as `scipy.io.loadmat` reads them: numbers, texts, cells
 * and structs. Throws FileError for other files, MATLAB 7.3 (HDF5) among them, and for damaged ones.
 */
export async function readMatFile(file: string): Promise<ReadonlyMap<string, MatValue>> {
  const bytes = await readBytes(file)
  try {
    return variablesOf(bytes)
  } catch (cause) {
    // whatever a reader throws on damaged bytes (RangeError, zlib errors)
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new FileError(`${file} cannot be read as a MATLAB level 5 file: ${why}`, 'download the file again', { cause })
  }
}

interface Element {
  readonly type: number
  readonly data: Uint8Array
}

function variablesOf(bytes: Uint8Array): Map<string, MatValue> {
  if (bytes.length < HEADER) throw new Error('it is too short')
  const mark = latin1(bytes.subarray(126, 128))
  if (mark !== 'IM' && mark !== 'MI') throw new Error('it does not have a MATLAB header')
  const little = mark === 'IM'
  const version = new DataView(bytes.buffer, bytes.byteOffset + 124, 2).getUint16(0, little)
  if (version !== 0x100) throw new Error('it has another version (7.3 files are HDF5)')

  const variables = new Map<string, MatValue>()
  for (const element of elementsOf(bytes.subarray(HEADER), little)) {
    const matrix = element.type === COMPRESSED ? unpack(element.data, little) : element
    if (matrix?.type !== MATRIX) continue
    const { name, value } = matrixOf(matrix.data, little, 0)
    if (value) variables.set(name, value)
  }
  return variables
}

function unpack(data: Uint8Array, little: boolean): Element | undefined {
  return elementsOf(new Uint8Array(inflateSync(data, { maxOutputLength: MAX_VARIABLE })), little).next().value
}

/** The elements that follow each other in `bytes`: a tag of type and length, then data, filled up to 8 bytes where it is not compressed. */
function* elementsOf(bytes: Uint8Array, little: boolean): Generator<Element, undefined> {
  const view = viewOf(bytes)
  let at = 0
  while (at + 8 <= bytes.length) {
    const word = view.getUint32(at, little)
    // small elements have length and type in one word and up to four bytes of data in the next
    const small = word >>> 16
    const [type, length, start] =
      small === 0 ? [word, view.getUint32(at + 4, little), at + 8] : [word & 0xffff, small, at + 4]
    if (start + length > bytes.length) throw new Error('it is truncated')
    yield { type, data: bytes.subarray(start, start + length) }
    const end = start + length
    at = small !== 0 ? at + 8 : type !== COMPRESSED ? Math.ceil(end / 8) * 8 : end
  }
}

/** An array: flags with its class, dimensions, name, then what it holds. Value undefined: a class that is not read. */
function matrixOf(data: Uint8Array, little: boolean, depth: number): { name: string; value: MatValue | undefined } {
  if (depth > MAX_DEPTH) throw new Error('its arrays are nested too deeply')
  const elements = elementsOf(data, little)
  const take = (): Element => {
    const { value } = elements.next()
    if (!value) throw new Error('an array ends too early')
    return value
  }
  if (data.length === 0) return { name: '', value: { kind: 'numbers', data: [] } }
  const arrayClass = (numbersOf(take(), little)[0] ?? 0) & 0xff
  const count = numbersOf(take(), little).reduce((product, size) => product * size, 1)
  const name = latin1(take().data)
  const matrix = (): MatValue => {
    const { value } = matrixOf(take().data, little, depth + 1)
    if (!value) throw new Error('it has an array of an unsupported class')
    return value
  }
  const repeat = <T>(times: number, make: () => T): T[] => {
    if (times > data.length) throw new Error('an array is larger than its data')
    return Array.from({ length: times }, make)
  }

  if (arrayClass === CELL_CLASS) return { name, value: { kind: 'cells', cells: repeat(count, matrix) } }
  if (arrayClass === STRUCT_CLASS) {
    const [width = 0] = numbersOf(take(), little)
    const fields = fieldNames(take().data, width)
    const struct = () => new Map(fields.map((field) => [field, matrix()]))
    return { name, value: { kind: 'structs', structs: repeat(count, struct) } }
  }
  if (arrayClass === CHAR_CLASS)
    return { name, value: { kind: 'text', text: count === 0 ? '' : textOf(take(), little) } }
  if (arrayClass < NUMBER_CLASSES.from || arrayClass > NUMBER_CLASSES.to) return { name, value: undefined }
  return { name, value: { kind: 'numbers', data: count === 0 ? [] : numbersOf(take(), little) } }
}

/** Names of the same width, filled up with zero bytes. */
function fieldNames(data: Uint8Array, width: number): string[] {
  if (width < 1) throw new Error('the fields of a struct have no names')
  return Array.from({ length: Math.floor(data.length / width) }, (_, i) =>
    latin1(data.subarray(i * width, (i + 1) * width)).replace(/\0.*$/s, ''),
  )
}

function textOf(element: Element, little: boolean): string {
  if (element.type === UTF8) return new TextDecoder().decode(element.data)
  if (element.type === UTF16) return new TextDecoder(little ? 'utf-16le' : 'utf-16be').decode(element.data)
  return numbersOf(element, little)
    .map((code) => String.fromCharCode(code))
    .join('')
}

function numbersOf({ type, data }: Element, little: boolean): number[] {
  const format = NUMBERS[type]
  if (!format) throw new Error(`an element of type ${type} does not contain numbers`)
  const [bytes, read] = format
  const view = viewOf(data)
  return Array.from({ length: Math.floor(data.length / bytes) }, (_, i) => read(view, i * bytes, little))
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
