import { describe, expect, it } from 'vitest'
import { visible, visibleJson, visibleText } from './visible.ts'

describe('a text for a terminal', () => {
  it.each([
    ['cat\u001b[31m red\u001b[0m', 'cat\\u001b[31m red\\u001b[0m'],
    ['dog\u001b]0;owned\u0007', 'dog\\u001b]0;owned\\u0007'],
    ['\u009b31mred', '\\u009b31mred'],
    ['photo\u202egnp.exe', 'photo\\u202egnp.exe'],
    ['a\u2066b\u2069\u200b\ufeff', 'a\\u2066b\\u2069\\u200b\\ufeff'],
    ['two\r\nlines', 'two\\r\\nlines'],
    ['\ud800x\u{e0041}', '\\ud800x\\udb40\\udc41'],
  ])('shows what is not seen in %j', (name, shown) => {
    expect(visible(name)).toBe(shown)
    expect(JSON.parse(`"${visible(name)}"`)).toBe(name)
  })

  it('leaves what is seen as it is', () => {
    const names = ['naïve café', '日本語', 'किताब', 'کتاب\u200cها', '👩\u200d🌾', 'back\\slash', 'e\u0301']
    for (const name of names) expect(visible(name)).toBe(name)
  })

  it('keeps the lines and tabs of its own', () => {
    expect(visibleText('a\tb\n\u001b[2Jc')).toBe('a\tb\n\\u001b[2Jc')
  })

  it('as JSON is the same value', () => {
    const value = { '\u202ea': ['\u001b', '\n', '\u{e0041}', '\u009b'] }
    expect(JSON.parse(visibleJson(value))).toEqual(value)
    expect(visibleJson(value)).toMatch(/^[\x20-\x7e]*$/)
  })
})
