import { describe, expect, it } from 'vitest'
import { readYaml } from './yaml.ts'

describe('YAML', () => {
  it('has aliases filled in', () => {
    expect(readYaml('a: &x [1, 2]\nb: *x\n').value).toEqual({ a: [1, 2], b: [1, 2] })
  })

  const levels = (n: number) => Array.from({ length: n }, (_, i) => `${' '.repeat(i)}a:`).join('\n')
  it.each<[string, string, number, RegExp]>([
    ['an alias without an anchor', 'a: 1\nb: *nowhere', 2, /\*nowhere has no anchor/],
    [
      'an alias of aliases',
      'a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]',
      3,
      /\*b stands for something that has aliases/,
    ],
    ['an alias of itself', 'a: 1\nb: &b\n  - *b', 3, /\*b/],
    ['a thousand aliases', `a: &a [1]\nb: [${'*a,'.repeat(1000)}]`, 2, /more than 100 aliases/],
    ['no end of brackets', `a:\n  ${'['.repeat(100_000)}`, 2, /nested deeper/],
    ['no end of brackets between apostrophes', `a: it's\nb: ${'['.repeat(5000)}\nc: it's`, 2, /nested deeper/],
    ['no end of brackets behind a sign', `a: [x#${'{'.repeat(5000)}`, 1, /nested deeper/],
    ['no end of indentation', levels(5000), 301, /nested deeper/],
    ['no end of dashes', `a:\n${'- '.repeat(5000)}`, 2, /nested deeper/],
    ['no end of questions', '? '.repeat(5000), 1, /nested deeper/],
    ['a key twice', 'a: 1\nb: {x: 1, y: 2, x: 3}', 2, /keys must be unique/],
    ['an open quote', 'a: 1\nb: "x', 2, /Missing closing/],
  ])('with %s has a fault in its line, and no value', (_, text, line, message) => {
    const { faults, lines, value } = readYaml(text)
    expect(faults[0]?.message).toMatch(message)
    expect(lines.linePos(faults[0]?.offset ?? 0).line).toBe(line)
    expect(value).toBeUndefined()
  })
})
