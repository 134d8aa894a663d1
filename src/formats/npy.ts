import { FileError } from '../base/errors.ts'
import { dims, type FloatTensor, floatTensor, sizeOf } from '../graph/tensor.ts'
import { type FloatType, finiteHalf, halfToFloat } from './half.ts'

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] // \x93NUMPY
/** Bytes before the header in version 1.0: magic, version, length. */
const PREFIX = 10

/**
 * The bytes of a NumPy file of float32: version 1.0, C order, the header filled up so that data begin at a multiple of 64.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function writeNpy({ shape, data: values }: FloatTensor, dtype: FloatType = 'float32'): Uint8Array<ArrayBuffer> {
  const data = dtype === 'float16' ? finiteHalf(values, 'the array') : values
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const text = `{'descr': '${dtype === 'float16' ? '<f2' : '<f4'}', 'fortran_order': False, 'shape': ${tuple}, }`
  const start = Math.ceil((PREFIX + text.length + 1) / 64) * 64
  const file = new Uint8Array(start + data.byteLength)
  file.set([...MAGIC, 1, 0])
  new DataView(file.buffer).setUint16(8, start - PREFIX, true)
  file.set(new TextEncoder().encode(`${text.padEnd(start - PREFIX - 1)}\n`), PREFIX)
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start)
  return file
}

/** Numbers of a file, from its bytes. */
const READERS: Readonly<Record<string, (bytes: ArrayBuffer) => Float32Array>> = {
  '<f2': (bytes) => halfToFloat(new Uint16Array(bytes)),
  '<f4': (bytes) => new Float32Array(bytes),
  '<f8': (bytes) => Float32Array.from(new Float64Array(bytes)),
}
const WIDTH: Readonly<Record<string, number>> = { '<f2': 2, '<f4': 4, '<f8': 8 }

/** A matrix in a NumPy file of floating-point numbers, C or Fortran order. Throws FileError for anything else. */
export function readNpyMatrix(name: string, file: Uint8Array): FloatTensor {
  const fail = (what: string) => new FileError(`${name} is not a NumPy file of a matrix: ${what}`, SAVE)
  if (file.length < PREFIX + 2 || MAGIC.some((byte, i) => file[i] !== byte)) throw fail('it does not begin like one')
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const [start, length] = file[6] === 1 ? [PREFIX, view.getUint16(8, true)] : [PREFIX + 2, view.getUint32(8, true)]
  if (start + length > file.length) throw fail('its header is cut off')
  const header = new TextDecoder().decode(file.subarray(start, start + length))
  const found = /'descr': *'([^']*)', *'fortran_order': *(True|False), *'shape': *\(([0-9, ]*)\)/.exec(header)
  const [, descr = '', order, tuple = ''] = found ?? []
  const shape = tuple.split(',').flatMap((text) => (text.trim() === '' ? [] : [Number(text)]))
  const [read, width] = [READERS[descr], WIDTH[descr]]
  if (found === null) throw fail('its header is of another form')
  if (read === undefined || width === undefined) throw fail(`it holds ${descr}, not floating-point numbers`)
  if (shape.length !== 2) throw fail(`its shape is (${tuple.trim()})`)
  const data = new Uint8Array(file.subarray(start + length)) // a copy, so that numbers of any width are aligned
  if (data.length !== sizeOf(shape) * width) {
    throw fail(`shape (${shape.join(', ')}) takes ${sizeOf(shape) * width} bytes, but it has ${data.length}`)
  }
  const values = read(data.buffer)
  return order === 'True' ? transposed(floatTensor([...shape].reverse(), values)) : floatTensor(shape, values)
}

const SAVE = "save it with numpy.save(file, weights.astype('float32')), weights (classes, embed)"

function transposed(x: FloatTensor): FloatTensor {
  const [rows, columns] = dims(x, 2)
  const turned = floatTensor([columns, rows])
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned.data[j * rows + i] = x.data[i * columns + j]!
  return turned
}
