import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { halfOf } from './halves.ts'

const items = (labels: readonly number[]) => labels.map((label, i) => ({ path: `${i}.jpg`, label, name: `n${i}` }))

describe('halfOf', () => {
  const dataset = {
    classNames: ['a', 'b', 'c', 'd', 'e'],
    train: items([4, 0, 2, 3, 1, 2]),
    val: items([3, 3]),
    test: items([0, 4]),
    name: 'toy',
  }

  it('gives the first ceil(n / 2) classes to base, the rest to new, counted from 0, in the order they were', () => {
    expect(halfOf(dataset, 'base')).toEqual({
      classNames: ['a', 'b', 'c'],
      train: [
        { path: '1.jpg', label: 0, name: 'n1' },
        { path: '2.jpg', label: 2, name: 'n2' },
        { path: '4.jpg', label: 1, name: 'n4' },
        { path: '5.jpg', label: 2, name: 'n5' },
      ],
      val: [],
      test: [{ path: '0.jpg', label: 0, name: 'n0' }],
      name: 'toy',
    })
    const { classNames, train, val } = halfOf(dataset, 'new')
    expect(classNames).toEqual(['d', 'e'])
    expect(train.map(({ path, label }) => [path, label])).toEqual([
      ['0.jpg', 1],
      ['3.jpg', 0],
    ])
    expect(val.map(({ label }) => label)).toEqual([0, 0])
    expect(halfOf(dataset, 'all')).toBe(dataset)
  })

  it('splits every data set into two that make up the whole', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.array(fc.nat(8), { maxLength: 40 }), (classes, labels) => {
        const classNames = Array.from({ length: classes }, (_, i) => `class ${i}`)
        const whole = { classNames, train: items(labels.filter((label) => label < classes)), val: [], test: [] }
        const [base, rest] = [halfOf(whole, 'base'), halfOf(whole, 'new')]
        expect([...base.classNames, ...rest.classNames]).toEqual(classNames)
        expect(base.classNames.length - rest.classNames.length).toBe(classes % 2)
        const named = (half: typeof base) => half.train.map(({ path, label }) => `${path} ${half.classNames[label]}`)
        expect([...named(base), ...named(rest)].sort()).toEqual(named(whole).sort())
      }),
    )
  })
})
