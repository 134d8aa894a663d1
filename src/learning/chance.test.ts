import { describe, expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import { atChance, endOf, lossOf, neverFell } from './chance.ts'

const labelsOf = (counts: readonly number[]) => counts.flatMap((n, c) => new Array<number>(n).fill(c))
/** Answers of which the first `right` of each hundred labels are right, the others the class after. */
const rightFor = (labels: readonly number[], classes: number, right: number) =>
  labels.map((label, i) => (i % 100 < right ? label : (label + 1) % classes))

describe('at chance', () => {
  it.each([
    ['one answer to all, balanced classes', labelsOf([20, 20, 20]), () => 2, true],
    ['one answer to all, the largest class', labelsOf([90, 5, 5]), () => 0, true],
    ['one answer to all, a small class', labelsOf([90, 5, 5]), () => 1, true],
    ['all right', labelsOf([5, 5]), (label: number) => label, false],
    ['all wrong', labelsOf([5, 5]), (label: number) => 1 - label, true],
  ])('%s: %#', (_, labels, answer, expected) => {
    expect(atChance(labels.map(answer), labels)).toBe(expected)
  })

  it('39 % right of five balanced classes are not', () => {
    const labels = labelsOf([100, 100, 100, 100, 100])
    expect(atChance(rightFor(labels, 5, 39), labels)).toBe(false)
    expect(atChance(rightFor(labels, 5, 20), labels)).toBe(true)
  })

  it('answers better than blind ones are not, blind ones nearly always are', () => {
    const blindAtChance: boolean[] = []
    for (let seed = 0; seed < 60; seed++) {
      const random = randomFor('blind', seed)
      const classes = 2 + random.int(20)
      const labels = labelsOf(new Array<number>(classes).fill(400))
      const better = labels.map((label) => (random.next() < 0.3 ? label : random.int(classes)))
      expect(atChance(better, labels)).toBe(false)
      const blind = labels.map(() => random.int(classes))
      blindAtChance.push(atChance(blind, labels))
    }
    // one in six is more than a standard deviation above
    expect(blindAtChance.filter(Boolean).length).toBeGreaterThan(40)
  })
})

const stepsOf = (losses: readonly number[]) =>
  losses.map((loss, i) => ({ step: i + 1, epoch: 1, learningRate: 0.1, loss, gradientNorm: 1 }))
const falling = (steps: number, from: number, to: number) =>
  Array.from({ length: steps }, (_, i) => from + ((to - from) * i) / (steps - 1))

it('the beginning and the end of a loss are a tenth of its steps', () => {
  expect(endOf([...new Array<number>(18).fill(9), 1, 2])).toBe(1.5)
  expect(endOf([9, 9, 1])).toBe(1)
  expect(lossOf(stepsOf([4, 2, ...new Array<number>(16).fill(9), 1, 2]))).toEqual({ first: 3, last: 1.5 })
  expect(lossOf([])).toBeUndefined()
})

it.each([
  ['fell', falling(100, 4.6, 0.3), false],
  ['fell from far above chance to chance', falling(100, 9, 2.3), false],
  ['stayed', new Array<number>(30).fill(2.3), true],
  ['rose', falling(30, 2.3, 5), true],
  ['is of too few steps to say', [2, 2, 2], false],
  ['had one bad batch at the end', [...falling(99, 3, 0.2), 9], false],
])('a loss that %s', (_, losses, expected) => {
  expect(neverFell(stepsOf(losses))).toBe(expected)
})
