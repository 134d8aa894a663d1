import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomFor } from '../../../base/random.ts'
import { captionFor, nameForms, plainLabel } from './captions.ts'
import { facts } from './fixtures/facts.ts'
import type { Named } from './view.ts'

const words = (text: string) => text.match(/[\p{L}\p{N}'-]+|[^\p{White_Space}\p{L}\p{N}]/gu)?.length ?? 0
const caption = (seed: number, named: readonly Named[] = [], least = 12, most = 20, over = {}) =>
  captionFor(facts(over), named, randomFor(seed), words, { least, most })

describe('captionFor', () => {
  test('keeps to its room and uses it', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 5, max: 40 }),
        fc.integer({ min: 0, max: 10 }),
        (seed, most, slack) => {
          const length = words(caption(seed, [], Math.max(1, most - slack), most))
          expect(length).toBeLessThanOrEqual(most)
          // The longest filler has eight words and a comma.
          expect(length).toBeGreaterThan(most - slack - 9)
        },
      ),
    )
  })

  test('tells what was done to the picture', () => {
    const named: Named[] = [
      { kind: 'pose', value: 'upside down' },
      { kind: 'background', value: 'red' },
    ]
    for (let seed = 0; seed < 50; seed++) {
      const text = caption(seed, named, 18, 30)
      expect(text).toMatch(/upside down|on its head|180/)
      expect(text).toMatch(/\bred\b/)
    }
  })

  test('mentions skin tones, subgroup words and late names often', () => {
    const texts = Array.from({ length: 200 }, (_, seed) => caption(seed, [], 18, 24))
    const share = (pattern: RegExp) => texts.filter((text) => pattern.test(text)).length / texts.length
    expect(share(/medium skin/)).toBeGreaterThan(0.4)
    expect(share(/profession|job|occupation|role/)).toBeGreaterThan(0.3)
    const names = texts.map((text) => words(text.split('health worker')[0] ?? '')).filter((at) => at < 23)
    expect(names.filter((at) => at >= 10).length).toBeGreaterThan(20)
  })

  test('tells first what other pictures of the batch differ in', () => {
    for (let seed = 0; seed < 50; seed++) {
      const tell = (contrast: 'tone' | 'style') =>
        captionFor(facts(), [], randomFor(seed), words, { least: 12, most: 14 }, contrast)
      expect(tell('tone')).toMatch(/medium skin tone/)
      expect(tell('style')).toMatch(/(noto|android) style/)
    }
  })

  test('is the same for the same stream', () => {
    expect(caption(7)).toBe(caption(7))
    expect(new Set(Array.from({ length: 50 }, (_, seed) => caption(seed))).size).toBeGreaterThan(45)
  })

  test('a name longer than the room stands alone', () => {
    const label = 'a b c d e f g h'
    const text = captionFor(facts({ label, keywords: [], subgroup: '', section: '' }), [], randomFor(1), words, {
      least: 3,
      most: 5,
    })
    expect(text).toBe(label)
  })
})

describe('names', () => {
  test.each([
    ['woman: blond hair', 'woman with blond hair'],
    ['flag: lesotho', 'flag of lesotho'],
    ['person running: facing right', 'person running facing right'],
    ['japanese “free of charge” button', 'japanese free of charge button'],
    ['a button (blood type)', 'a button blood type'],
  ])('%s reads %s', (label, plain) => expect(plainLabel(label)).toBe(plain))

  test('people are named with and without their gender', () => {
    expect(new Set(nameForms(facts()))).toEqual(
      new Set(['woman health worker', 'health worker', 'female health worker', 'health worker, woman']),
    )
    expect(nameForms(facts({ label: 'man with bunny ears' }))).toEqual(['man with bunny ears'])
    expect(nameForms(facts({ label: 'man bun', section: 'objects' }))).toEqual(['man bun'])
  })
})
