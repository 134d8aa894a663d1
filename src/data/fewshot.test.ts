import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../base/errors.ts'
import { checkLearnable, drawFewShot, lackOfImages } from './fewshot.ts'

/** What Dassl picks: indices into the label lists. */
interface Recorded {
  trainLabels: number[]
  valLabels: number[]
  samples: { seed: number; shots: number; train: number[]; val: number[] }[]
}

const recorded: Recorded = JSON.parse(readFileSync(new URL('fixtures/fewshot.json', import.meta.url), 'utf8'))
const indexed = (labels: readonly number[]) => labels.map((label, index) => ({ label, index }))

describe('drawFewShot', () => {
  it.each(recorded.samples)('picks the published subset: seed $seed, $shots shots', ({ seed, shots, train, val }) => {
    const drawn = drawFewShot(indexed(recorded.trainLabels), indexed(recorded.valLabels), shots, seed)
    expect(drawn.train.map(({ index }) => index)).toEqual(train)
    expect(drawn.val.map(({ index }) => index)).toEqual(val)
  })

  it('takes min(shots, items) different items of every class, the labels in order of first appearance', () => {
    const labels = fc.array(fc.nat(6), { maxLength: 120 })
    fc.assert(
      fc.property(labels, labels, fc.integer({ min: 1, max: 20 }), fc.nat(), (train, val, shots, seed) => {
        const drawn = drawFewShot(indexed(train), indexed(val), shots, seed)
        for (const [labels, items, k] of [
          [train, drawn.train, shots],
          [val, drawn.val, Math.min(4, shots)],
        ] as const) {
          const expected = [...new Set(labels)].flatMap((label) =>
            Array(Math.min(k, labels.filter((l) => l === label).length)).fill(label),
          )
          expect(items.map(({ label }) => label)).toEqual(expected)
          expect(new Set(items).size).toBe(items.length)
          expect(items.every(({ label, index }) => labels[index] === label)).toBe(true)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('does not let val change what is drawn of train', () => {
    const train = indexed(recorded.trainLabels)
    expect(drawFewShot(train, [], 4, 2).train).toEqual(drawFewShot(train, indexed(recorded.valLabels), 4, 2).train)
  })

  it.each([0, -1, 1.5, Number.NaN])('refuses %s shots', (shots) => {
    expect(() => drawFewShot([], [], shots, 1)).toThrow(UsageError)
  })
})

describe('all shots', () => {
  it('give every image of both parts, class by class in order of first appearance', () => {
    const items = [2, 0, 2, 1].map((label, id) => ({ label, id }))
    const drawn = drawFewShot(items, items.slice(1), 'all', 5)
    expect(drawn.train.map(({ id }) => id)).toEqual([0, 2, 1, 3])
    expect(drawn.val.map(({ id }) => id)).toEqual([1, 2, 3])
  })
})

describe('what can be learned from', () => {
  const dataset = {
    root: 'pictures',
    classNames: ['cat', 'dog', 'owl'],
    train: [0, 0, 0, 1].map((label) => ({ path: '', label })),
  }

  it('is a data set with an image of each class', () => {
    expect(() => checkLearnable({ ...dataset, classNames: ['cat', 'dog'] })).not.toThrow()
    expect(() => checkLearnable(dataset)).toThrow(/pictures has no training images of "owl"$/)
    expect(() => checkLearnable({ ...dataset, train: [] })).toThrow(/has no training images$/)
  })

  it('is said of classes with fewer images than shots, of five at most', () => {
    expect(lackOfImages(dataset, 2)).toBe(
      'pictures: 2 of 3 classes have fewer training images than 2 shots and use all they have: "dog" has 1, "owl" has 0',
    )
    expect(lackOfImages({ ...dataset, classNames: ['cat', 'dog'] }, 1)).toBeUndefined()
    expect(lackOfImages(dataset, 'all')).toBeUndefined()
    const classNames = Array.from({ length: 9 }, (_, i) => `class ${i}`)
    expect(lackOfImages({ root: '.', classNames, train: [{ path: '', label: 8 }] }, 1)).toMatch(
      /"class 4" has 0, and 3 more/,
    )
  })
})
