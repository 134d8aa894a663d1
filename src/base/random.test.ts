import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from './errors.ts'
import { randomFor } from './random.ts'

const draws = (n: number, ...key: (number | string)[]) => {
  const random = randomFor(...key)
  return Array.from({ length: n }, () => random.next())
}

describe('randomFor', () => {
  it('gives the same stream for the same key, another for another', () => {
    const keys = [
      [1],
      ['1'],
      [1, 2],
      [12],
      [2, 1],
      ['a', 'bc'],
      ['ab', 'c'],
      ['abc'],
      [],
      [0],
      [-0.5],
      ['s1:a'],
    ] as const
    const streams = keys.map((key) => draws(4, ...key).join())
    expect(new Set(streams).size).toBe(keys.length)
    keys.forEach((key, i) => {
      expect(draws(4, ...key).join()).toBe(streams[i])
    })
  })

  it('stays the same from version to version, or learned results could not be repeated', () => {
    const random = randomFor('pinned', 1)
    expect(random.next()).toBe(0.43989406336318904)
    expect([random.int(1000), random.int(1000)]).toEqual([746, 833])
    expect([...random.permutation(6)]).toEqual([5, 2, 4, 1, 3, 0])
    expect(random.normal()).toBeCloseTo(-0.6404232968602521, 14)
  })

  it('is uniform in [0, 1), also across neighbouring keys', () => {
    const within = draws(20000, 'uniform', 3)
    const across = Array.from({ length: 20000 }, (_, step) => randomFor('uniform', step).next())
    for (const values of [within, across]) {
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...values)).toBeLessThan(1)
      // chi-square over 100 bins: mean 99, deviation 14
      const bins = new Float64Array(100)
      for (const value of values) bins[Math.floor(value * 100)]! += 1
      const chiSquare = bins.reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0)
      expect(chiSquare).toBeLessThan(170)
    }
  })

  it('has whole numbers without bias', () => {
    const random = randomFor('int')
    const counts = [0, 0, 0]
    for (let i = 0; i < 30000; i++) counts[random.int(3)]! += 1
    for (const count of counts) expect(Math.abs(count - 10000)).toBeLessThan(400)
    // 2^32 values leave a remainder of 2^30 here, which would fall on the lowest third a second time
    const lowest = Array.from({ length: 3000 }, () => random.int(3 * 2 ** 30)).filter((value) => value < 2 ** 30)
    expect(Math.abs(lowest.length - 1000)).toBeLessThan(130)
    expect(random.int(1)).toBe(0)
    expect(random.int(2 ** 32)).toBeLessThan(2 ** 32)
    for (const wrong of [0, -1, 1.5, Number.NaN, 2 ** 33]) expect(() => random.int(wrong)).toThrow(UsageError)
  })

  it('has standard normal deviates', () => {
    const random = randomFor('normal')
    const values = Array.from({ length: 40000 }, () => random.normal())
    const moment = (p: number) => values.reduce((sum, x) => sum + x ** p, 0) / values.length
    expect(moment(1)).toBeCloseTo(0, 1)
    expect(moment(2)).toBeCloseTo(1, 1)
    expect(Math.abs(moment(3))).toBeLessThan(0.1)
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.2)
    const neighbours = values.slice(1).reduce((sum, x, i) => sum + x * values[i]!, 0) / values.length
    expect(Math.abs(neighbours)).toBeLessThan(0.03)
  })

  it('permutes: every number once, every order equally often', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer(), (n, seed) => {
        const order = [...randomFor(seed).permutation(n)].sort((a, b) => a - b)
        expect(order).toEqual(Array.from({ length: n }, (_, i) => i))
      }),
    )
    const counts = new Map<string, number>()
    for (let seed = 0; seed < 6000; seed++) {
      const order = randomFor(seed).permutation(3).join()
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})
