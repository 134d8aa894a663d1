import { describe, expect, it } from 'vitest'
import { countOf } from '../base/count.ts'
import { columns, tableText } from './text.ts'

/** Columns a terminal takes for these, known by hand. */
const WIDTHS = [
  ['cat', 3],
  ['飞机', 4],
  ['Ａ', 2],
  ['한국', 4],
  ['cafe\u0301', 4],
  ['🐱', 2],
  ['👨‍👩‍👧', 2],
] as const

describe('columns', () => {
  it('line up whatever the characters', () => {
    const lines = columns(WIDTHS.map(([name]) => [name, '1.0 %'])).split('\n')
    for (const [i, [name, width]] of WIDTHS.entries()) expect(lines[i]).toBe(`${name}${' '.repeat(4 - width)}  1.0 %`)
    const rows = [{ cells: ['1', '飞机'] }, { cells: ['2', 'ab'] }]
    expect(tableText({ head: ['n', 'x'], rows, words: 1 })).toBe('n     x\n1  飞机\n2    ab')
  })

  it('of nothing are nothing', () => expect(columns([])).toBe(''))
})

it('one is not many', () => {
  expect([0, 1, 2].map((n) => countOf(n, 'step'))).toEqual(['0 steps', '1 step', '2 steps'])
  expect([1, 2].map((n) => countOf(n, 'class', 'classes'))).toEqual(['1 class', '2 classes'])
})
