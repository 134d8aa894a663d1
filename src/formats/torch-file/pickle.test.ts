import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FileError } from '../../base/errors.ts'
import { TORCH } from './meanings.ts'
import { readPickle } from './pickle.ts'
import { PyDict, PyGlobal, PyList, PyObject, PyTuple } from './values.ts'

// Pickles are written here as text: `\x80\x02` and the like, one character a byte.
const bytesOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0))
const read = (text: string) => readPickle('x.pt', bytesOf(text), TORCH)

describe('plain values', () => {
  it.each([
    ['N.', null],
    ['\x88.', true],
    ['\x89.', false],
    ['K\xff.', 255],
    ['M\x01\x02.', 513],
    ['J\xfe\xff\xff\xff.', -2],
    ['\x8a\x00.', 0],
    ['\x8a\x01\xff.', -1],
    ['\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.', 2n ** 64n],
    ['G\x40\x09\x21\xfb\x54\x44\x2d\x18.', Math.PI],
    ['X\x03\x00\x00\x00\xe2\x82\xac.', '€'],
    ['\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01a.', 'a'],
  ])('%j', (text, value) => expect(read(text)).toEqual(value))

  it('containers, and values taken up again', () => {
    const list = read('\x80\x02]q\x00(K\x01K\x02eh\x00a.')
    if (!(list instanceof PyList)) throw new Error('a list is wanted')
    expect(list.items.slice(0, 2)).toEqual([1, 2])
    expect(list.items[2]).toBe(list)
    expect(read('(K\x01K\x02t.')).toEqual(new PyTuple([1, 2]))
    const dict = read('}(K\x01NX\x01\x00\x00\x00aK\x02u.')
    expect(dict instanceof PyDict && [...dict.entries]).toEqual([
      [1, null],
      ['a', 2],
    ])
  })
})

describe('what would be executed', () => {
  it('is kept as what it says', () => {
    const call = read('cposix\nsystem\nX\x08\x00\x00\x00rm -rf /\x85R.')
    expect(call).toEqual(new PyObject(new PyGlobal('posix.system'), new PyTuple(['rm -rf /'])))
    const stacked = read('\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.')
    expect(stacked).toEqual(new PyObject(new PyGlobal('builtins.eval'), new PyTuple(['1'])))
  })

  it('attributes and items of such an object are kept beside it', () => {
    const made = read('cm\nC\n)\x81}X\x01\x00\x00\x00aK\x01sb(K\x02e.')
    if (!(made instanceof PyObject)) throw new Error('an object is wanted')
    expect(made.state instanceof PyDict && [...made.state.entries]).toEqual([['a', 1]])
    expect(made.items).toEqual([2])
  })

  it.each([
    ['INST', '(cm\nC\nicm\nC\n.'],
    ['OBJ', '(cm\nC\no.'],
    ['an extension registry', '\x82\x01.'],
    ['a buffer from elsewhere', '\x97.'],
  ])('%s is refused', (_, text) =>
    expect(() => read(text)).toThrow(/x\.pt .*0x[0-9a-f]{2} is not one that torch writes/),
  )
})

describe('damaged pickles', () => {
  it.each([
    ['no end', 'N', /ends within/],
    ['nothing', '.', /the stack is empty/],
    ['no mark', 't.', /the mark is missing/],
    ['a text past the end', 'X\xff\xff\xff\x7f.', /ends within a value of 2147483647 bytes/],
    ['a text of 2^60 bytes', '\x8d\x00\x00\x00\x00\x00\x00\x00\x10.', /states a length of/],
    ['a number of a million digits', '\x8b\x00\x00\x0f\x00.', /a number has 983040 bytes/],
    ['text that is not UTF-8', 'X\x01\x00\x00\x00\xff.', /not UTF-8/],
    ['a key without a value', '}(K\x01u.', /a key has no value/],
    ['something appended to a number', 'K\x01K\x02a.', /not a list/],
    ['a key in a list', ']K\x01K\x02s.', /not a dictionary/],
    ['an unknown value', 'h\x05.', /no stored value 5/],
    ['a name without an end', 'cposix', /no end/],
    ['a class without a name', 'NN\x93.', /no name/],
    ['a foreign reference', 'NQ.', /not the storage of a tensor/],
  ])('%s', (_, text, message) => {
    expect(() => read(text)).toThrow(FileError)
    expect(() => read(text)).toThrow(message)
  })

  it('any bytes give a value or a FileError', () => {
    const common = fc.constantFrom(...bytesOf('(.)0123NKMJGX}]eastubRQqhrjc\n\x80\x81\x85\x86\x87\x88\x93\x94'))
    const bytes = fc.array(fc.oneof(common, fc.nat(255)), { maxLength: 60 })
    fc.assert(
      fc.property(bytes, (values) => {
        try {
          readPickle('x.pt', Uint8Array.from(values), TORCH)
        } catch (error) {
          expect(error).toBeInstanceOf(FileError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('nesting is no trouble, and has an end', () => {
    expect(read(`${'('.repeat(1e5)}N${'l'.repeat(1e5)}.`) instanceof PyList).toBe(true)
    expect(() => read(`${'('.repeat(6e5)}.`)).toThrow(/more than 500000 operations/)
  })
})
