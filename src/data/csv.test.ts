import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { parseCsv } from './csv.ts'

const fieldsOf = (text: string, delimiter = ',') =>
  Array.from(parseCsv(text, delimiter, 'x.csv'), ({ fields }) => fields)

describe('parseCsv', () => {
  it.each<[string, string, string[][]]>([
    [
      'plain fields',
      'a,b\nc,d\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['no line end at the end', 'a,b', [['a', 'b']]],
    ['CR LF and CR', 'a\r\nb\rc', [['a'], ['b'], ['c']]],
    [
      'empty fields, empty lines',
      ',\n\n\r\n"",x\n',
      [
        ['', ''],
        ['', 'x'],
      ],
    ],
    ['delimiters, line ends and quotes in quotes', '"a,b","c\r\nd","e""f"\n', [['a,b', 'c\r\nd', 'e"f']]],
    ['a quote inside a field', '5" nail,6\n', [['5" nail', '6']]],
    ['spaces as they are', ' a , b\n', [[' a ', ' b']]],
    ['nothing', '', []],
  ])('%s', (_, text, fields) => {
    expect(fieldsOf(text)).toEqual(fields)
  })

  it('takes tabs for TSV', () => {
    expect(fieldsOf('a,b\tc\n', '\t')).toEqual([['a,b', 'c']])
  })

  it('counts lines, those inside quotes too', () => {
    const records = [...parseCsv('a\n\n"b\nc\r\nd"\ne', ',', 'x.csv')]
    expect(records.map(({ line }) => line)).toEqual([1, 3, 6])
  })

  it.each([
    ['a,b\n"c,d\ne', /x\.csv:2: .*never closed/],
    ['a\n"b"c,d\n', /x\.csv:2: there is text after the quoted field 1/],
    ['"a\n\nb","c"d', /x\.csv:3: there is text after the quoted field 2/],
  ])('refuses %j by its line', (text, message) => {
    expect(() => fieldsOf(text)).toThrow(FileError)
    expect(() => fieldsOf(text)).toThrow(message)
  })

  it('reads what a writer of RFC 4180 writes', () => {
    const field = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ' ', 'é', '\t') })
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    fc.assert(
      fc.property(
        fc.array(fc.array(field, { minLength: 2, maxLength: 4 })),
        fc.constantFrom('\n', '\r\n'),
        (rows, end) => {
          expect(fieldsOf(rows.map((row) => row.map(quoted).join(',') + end).join(''))).toEqual(rows)
        },
      ),
    )
  })

  it('does not run out of stack', () => {
    const long = `"${'x""'.repeat(100_000)}",y\n`
    expect(fieldsOf(long)[0]?.[0]).toHaveLength(200_000)
  })
})
