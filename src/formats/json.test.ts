import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { parseJson, placeInJson, wholeNumbersByKey } from './json.ts'

function refusal(text: string, line?: number): string {
  try {
    parseJson(text, 'FILE', line)
  } catch (error) {
    if (error instanceof FileError) return error.message
  }
  throw new Error('expected a FileError')
}

describe('parseJson', () => {
  it.each([
    ['{"a": [1,\n2}', 'FILE:2:2: not valid JSON: expected "," or "]"'],
    ['{"a": {"b": 1]}', 'FILE:1:14: not valid JSON: expected "," or "}"'],
    ['{"a": [1, 2,\n ]}', 'FILE:2:2: not valid JSON: expected a value'],
    ['[,]', 'FILE:1:2: not valid JSON: expected a value or "]"'],
    ["{'a': 1}", 'FILE:1:2: not valid JSON: expected a key in double quotes or "}"'],
    ['{"a": 1,\n}', 'FILE:2:1: not valid JSON: expected a key in double quotes'],
    ['{"a" 1}', 'FILE:1:6: not valid JSON: expected ":" after the key'],
    ['[1, NaN]', 'FILE:1:5: not valid JSON: expected a value'],
    ['[01]', 'FILE:1:3: not valid JSON: expected "," or "]"'],
    ['["a", "b\nc"]', 'FILE:1:7: not valid JSON: expected a string with a closing quote'],
    ['["C:\\data"]', 'FILE:1:2: not valid JSON: expected a string with a closing quote'],
    ['{}\n{}', 'FILE:2:1: not valid JSON: expected the end of the text'],
    ['<!DOCTYPE html>', 'FILE:1:1: not valid JSON: expected a value'],
    ['[1,\n', 'FILE:2:1: not valid JSON: expected more, but the text ends here'],
    ['', 'FILE:1:1: not valid JSON: expected more, but the text ends here'],
    ['{"a": 1,\n"b": 2, "\\u0061": 3}', 'FILE:2:9: the key "a" appears twice in one object'],
    ['[{"a": {"b": 1}, "b": {"a": 1}}, {"a": ":", "a": 1}]', 'FILE:1:45: the key "a" appears twice in one object'],
  ])('names line and column: %j', (text, message) => {
    expect(refusal(text)).toContain(message)
  })

  it('counts the lines from where the text stands', () => {
    expect(refusal('{"a": }', 12)).toMatch(/^FILE:12:7: /)
  })

  it('takes what JSON.parse takes but keys that stand twice, and refuses the rest with its place', () => {
    const damaged = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', ']', '}', 'x', '\n', '\\', '1', ':""'))
      .map(([text, at, put]) => text.slice(0, at % (text.length + 1)) + put + text.slice((at % (text.length + 1)) + 1))
    const pretty = fc.json().map((text) => JSON.stringify(JSON.parse(text), null, 2))
    fc.assert(
      fc.property(fc.oneof(fc.json(), pretty, damaged), (text) => {
        let value: unknown
        try {
          value = JSON.parse(text)
        } catch {
          // The first fault is told, and a key may stand twice before the text breaks.
          expect(refusal(text)).toMatch(/^FILE:\d+:\d+: (not valid JSON: expected |the key .* appears twice)/)
          return
        }
        try {
          expect(parseJson(text, 'FILE')).toEqual(value)
        } catch (error) {
          expect(String(error)).toMatch(/appears twice/)
          expect(text).not.toBe(JSON.stringify(value))
        }
      }),
      { numRuns: 500 },
    )
  })
})

it('placeInJson gives the place of a value, or of the deepest on the way to it', () => {
  const text = '{"a": [1,\n  {"b": "x"}], "c": {"b": [\n[2]]}}'
  const places = (...paths: (string | number)[][]) => paths.map((path) => placeInJson(text, path))
  expect(places([], ['a'], ['a', 0], ['a', 1, 'b'])).toEqual(['1:1', '1:7', '1:8', '2:9'])
  expect(places(['c', 'b', 0, 0], ['c', 'd'], ['a', 7], ['d'])).toEqual(['3:2', '2:21', '1:7', '1:1'])
})

describe('wholeNumbersByKey', () => {
  const table = fc.dictionary(fc.string({ unit: 'binary' }), fc.nat(), { minKeys: 1 })
  const written = fc.tuple(table, fc.constantFrom(0, 1)).map(([value, indent]) => JSON.stringify(value, null, indent))

  it('reads what JSON.parse reads, in the order of the text', () => {
    fc.assert(
      fc.property(written, (text) => {
        expect(new Map(Object.entries(JSON.parse(text)))).toEqual(wholeNumbersByKey(text))
      }),
    )
    expect([...(wholeNumbersByKey(' {"b" :0, "1":\n20,"\\u0061\\"": 3}\t') ?? [])]).toEqual([
      ['b', 0],
      ['1', 20],
      ['a"', 3],
    ])
  })

  it('leaves everything else to parseJson', () => {
    const cut = fc.tuple(written, fc.nat()).map(([text, at]) => text.slice(0, at % text.length))
    fc.assert(fc.property(cut, (text) => wholeNumbersByKey(text) === undefined))
    const others = `
      | { | {} | [1] | [] | 3 | "a" | {"a": 1} x | {"a": 1}} | {"a": 1,} | {,"a": 1} | {"a": 1 "b": 2} | {"a": 1;"b": 2}
      | {"a": -1} | {"a": 1.5} | {"a": 1e3} | {"a": 01} | {"a": "1"} | {"a": } | {"a": {"b": 1}} | {"a": null} | {"a" 1}
      | {"a": 1, "a": 2} | {"a": 1, "\\u0061": 2} | {"\\x": 1} | {"a\nb": 1} | {'a': 1} | {a: 1} | {"a\\": 1}
      | {"a": 12345678901234567}`.split('|')
    expect(others.filter((text) => wholeNumbersByKey(text) !== undefined)).toEqual([])
  })
})
