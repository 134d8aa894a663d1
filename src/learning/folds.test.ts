import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Fold, foldsOf, judgedImages } from './folds.ts'
import { largestClass } from './labelled-rows.ts'

const someLabels = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 60 })
const options = fc.record({ folds: fc.integer({ min: 2, max: 7 }), seed: fc.integer({ min: 0, max: 1e6 }) })
const countIn = (images: readonly number[], labels: readonly number[], label: number) =>
  images.filter((i) => labels[i] === label).length

describe('foldsOf', () => {
  it('divides all images in each fold, and holds each but the only one of a class once', () => {
    fc.assert(
      fc.property(someLabels, options, (labels, options) => {
        const folds = foldsOf(labels, options)
        const images = labels.map((_, i) => i)
        for (const { train, held } of folds) {
          expect([...train, ...held].sort((a, b) => a - b)).toEqual(images)
          expect(held.length).toBeGreaterThan(0)
        }
        expect(judgedImages(folds)).toEqual(images.filter((i) => countIn(images, labels, labels[i] ?? -1) > 1))
      }),
    )
  })

  it('leaves every class an image to learn from, and holds of it as many in each fold, or one more', () => {
    fc.assert(
      fc.property(someLabels, options, (labels, options) => {
        const folds = foldsOf(labels, options)
        for (const label of new Set(labels)) {
          const held = folds.map((fold) => countIn(fold.held, labels, label))
          expect(folds.every(({ train }) => countIn(train, labels, label) > 0)).toBe(true)
          expect(Math.max(0, ...held) - Math.min(...held, Number.POSITIVE_INFINITY)).toBeLessThanOrEqual(1)
        }
        const sizes = folds.map(({ held }) => held.length)
        if (folds.length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        expect(folds.length).toBeLessThanOrEqual(Math.min(options.folds, largestClass(labels)))
      }),
    )
  })

  it('is the same for a seed, and another for another', () => {
    const labels = Array.from({ length: 40 }, (_, i) => i % 4)
    expect(foldsOf(labels, { folds: 5, seed: 1 })).toEqual(foldsOf(labels, { folds: 5, seed: 1 }))
    expect(foldsOf(labels, { folds: 5, seed: 1 })).not.toEqual(foldsOf(labels, { folds: 5, seed: 2 }))
  })

  it.each<[string, readonly number[], number, readonly number[]]>([
    ['two images a class: each held alone', [0, 0, 1, 1, 2, 2], 2, [0, 1, 2, 3, 4, 5]],
    ['a class with one image', [0, 0, 0, 1], 3, [0, 1, 2]],
    [
      'a class with many and others with two',
      [...new Array<number>(50).fill(0), 1, 1, 2, 2],
      5,
      Array.from({ length: 54 }, (_, i) => i),
    ],
    ['one image a class: no folds', [0, 1, 2], 0, []],
    ['no images', [], 0, []],
  ])('%s', (_, labels, count, judged) => {
    const folds: readonly Fold[] = foldsOf(labels, { folds: 5, seed: 1 })
    expect(folds).toHaveLength(count)
    expect(judgedImages(folds)).toEqual(judged)
  })

  it('refuses fewer than two folds', () => {
    expect(() => foldsOf([0, 0], { folds: 1, seed: 1 })).toThrow('folds must be a whole number from 2')
  })
})
