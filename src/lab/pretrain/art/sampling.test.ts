import { describe, expect, test } from 'vitest'
import { randomFor } from '../../../base/random.ts'
import { facts } from './fixtures/facts.ts'
import type { Sprite } from './render.ts'
import { createSampler } from './sampling.ts'

const pixels = new Uint8Array(0)
const sprite = (over: Parameters<typeof facts>[0]): Sprite => ({ pixels, facts: facts(over) })
const labels = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

/** 20 people in six tones, 40 things in five styles, 40 icons. */
const sprites = [
  ...labels('person', 20).flatMap((concept) =>
    [[], [1], [2], [3], [4], [5]].map((tones) => sprite({ concept, tones, label: concept })),
  ),
  ...labels('thing', 40).flatMap((concept) =>
    ['noto', 'twemoji', 'emojione', 'fxemoji', 'noto-v1'].map((set) =>
      sprite({ concept, set, section: 'objects', tones: [] }),
    ),
  ),
  ...labels('icon', 40).map((concept) => sprite({ concept, group: 'icon', section: '', tones: [] })),
]
const sampler = createSampler(sprites)
const batches = Array.from({ length: 400 }, (_, step) => sampler.draw(randomFor(step), 48))

describe('createSampler', () => {
  test('plain batches have one row a concept', () => {
    const plain = batches.filter((rows) => rows.every(({ contrast }) => contrast === undefined))
    expect(plain.length).toBeGreaterThan(310)
    for (const rows of plain) expect(new Set(rows.map(({ concept }) => concept)).size).toBe(48)
  })

  test('emoji come twice as often as icons', () => {
    const rows = batches.flat()
    const icons = rows.filter((row) => row.sprite.facts.group === 'icon').length
    expect(icons / rows.length).toBeGreaterThan(0.2)
    expect(icons / rows.length).toBeLessThan(0.36)
  })

  test.each(['tone', 'style'] as const)(
    'some batches hold one concept in every %s, each a concept of its own',
    (kind) => {
      const some = batches.filter((rows) => rows.some(({ contrast }) => contrast === kind))
      expect(some.length).toBeGreaterThan(12)
      for (const rows of some) {
        const family = rows.filter(({ contrast }) => contrast === kind)
        expect(family.length).toBeLessThanOrEqual(24)
        expect(new Set(rows.map(({ concept }) => concept)).size).toBe(rows.length)
        const [{ sprite: first }] = family as [(typeof family)[0]]
        const members = family.filter(({ sprite: { facts: one } }) => one.concept === first.facts.concept)
        const values = members.map(({ sprite: { facts: one } }) => (kind === 'tone' ? one.tones.join() : one.set))
        expect(new Set(values).size).toBe(kind === 'tone' ? 6 : 5)
      }
    },
  )
})
