import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { floatTensor } from '../graph/tensor.ts'
import { readNpyMatrix, writeNpy } from './npy.ts'

const matrix = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }))
  .chain(([rows, columns]) =>
    fc
      .float32Array({ minLength: rows * columns, maxLength: rows * columns })
      .map((data) => floatTensor([rows, columns], data)),
  )
const file = (descr: string, order: string, shape: string, data: ArrayBufferView) => {
  const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`.padEnd(117)
  const bytes = Uint8Array.of(0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0, ...Buffer.from(`${header}\n`))
  return Buffer.concat([bytes, new Uint8Array(data.buffer)])
}

describe('NumPy files', () => {
  it('are read as they were written, data at a multiple of 64 bytes', () =>
    fc.assert(
      fc.property(matrix, (x) => {
        const bytes = writeNpy(x)
        const [length] = new Uint16Array(bytes.slice(8, 10).buffer)
        expect((10 + (length ?? 0)) % 64).toBe(0)
        expect(bytes[9 + (length ?? 0)]).toBe(0x0a)
        expect([...bytes.subarray(0, 8)]).toEqual([0x93, ...Buffer.from('NUMPY'), 1, 0])
        expect(new TextDecoder('latin1').decode(bytes.subarray(10, 10 + (length ?? 0)))).toMatch(
          /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(\d+, \d+\), \} *\n$/,
        )
        expect(readNpyMatrix('x.npy', bytes)).toEqual(x)
      }),
    ))

  it('are read in double and half precision, and in Fortran order', () => {
    const wanted = floatTensor([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))
    expect(readNpyMatrix('x', file('<f8', 'False', '(2, 3)', Float64Array.of(1, 2, 3, 4, 5, 6)))).toEqual(wanted)
    expect(readNpyMatrix('x', file('<f4', 'True', '(2, 3)', Float32Array.of(1, 4, 2, 5, 3, 6)))).toEqual(wanted)
    const halves = Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600)
    expect(readNpyMatrix('x', file('<f2', 'False', '(2, 3)', halves))).toEqual(wanted)
  })

  it.each([
    ['no file of NumPy', Buffer.from('PK\x03\x04 something else'), /does not begin/],
    ['whole numbers', file('<i8', 'False', '(1, 1)', BigInt64Array.of(1n)), /<i8/],
    ['a vector', file('<f4', 'False', '(2,)', Float32Array.of(1, 2)), /shape is \(2,\)/],
    ['too few values', file('<f4', 'False', '(2, 2)', Float32Array.of(1, 2)), /takes 16 bytes, but it has 8/],
    ['a header that is cut off', file('<f4', 'False', '(2, 2)', Float32Array.of(1)).subarray(0, 50), /cut off/],
  ])('are refused: %s', (_, bytes, message) => {
    expect(() => readNpyMatrix('x.npy', bytes)).toThrow(message)
  })
})
