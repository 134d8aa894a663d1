import { describe, expect, it } from 'vitest'
import { wilsonInterval } from '../base/wilson.ts'
import { harmonicMean, studentQuantile, summarise } from './statistics.ts'

describe('the quantile of Student t', () => {
  // scipy.stats.t.ppf
  it.each([
    [0.975, 1, 12.706204736174694],
    [0.975, 2, 4.302652729749462],
    [0.975, 3, 3.1824463052837078],
    [0.975, 4, 2.7764451051977934],
    [0.975, 9, 2.262157162798205],
    [0.975, 30, 2.0422724563012378],
    [0.975, 99, 1.9842169515864174],
    [0.975, 1e6, 1.959966356814107],
    [0.9, 1, 3.0776835371752544],
    [0.9, 4, 1.533206274058944],
    [0.9, 99, 1.2901614420344854],
    [0.025, 2, -4.302652729749462],
  ])('at %d with %d degrees of freedom is that of scipy', (p, degrees, expected) => {
    expect(Math.abs(studentQuantile(p, degrees) / expected - 1)).toBeLessThan(1e-9)
  })

  it('is 0 at a half and has no value outside', () => {
    expect(studentQuantile(0.5, 3)).toBeCloseTo(0, 12)
    for (const p of [0, 1, Number.NaN]) expect(() => studentQuantile(p, 3)).toThrow(RangeError)
    expect(() => studentQuantile(0.9, 0)).toThrow(RangeError)
  })
})

describe('summarise', () => {
  it('gives mean, sample deviation and interval', () => {
    const { n, mean, sd, interval } = summarise([91.81, 92.01, 92.17])
    // numpy: mean, std(ddof=1); scipy.stats.t.interval(0.95, 2, mean, sem)
    expect([n, mean, sd]).toEqual([3, expect.closeTo(91.99666666666667, 10), expect.closeTo(0.1803699901129156, 10)])
    expect(interval).toEqual([expect.closeTo(91.54860277215914, 8), expect.closeTo(92.4447305611742, 8)])
  })

  it('has the convention of the official scripts beside it', () => {
    // numpy: std(), 1.96 * std() / sqrt(3)
    const { official } = summarise([91.81, 92.01, 92.17])
    expect(official).toEqual({ sd: expect.closeTo(0.14727148, 8), half: expect.closeTo(0.16665337, 7) })
  })

  it('gives an interval from three values on, and not beyond what the mean can be', () => {
    expect(summarise([40, 50])).toMatchObject({ sd: expect.closeTo(7.0710678, 6), interval: undefined })
    expect(summarise([99, 90, 100], [0, 100]).interval?.[1]).toBe(100)
    expect(summarise([1, 10, 0], [0, 100]).interval?.[0]).toBe(0)
  })

  it('has no spread for one value, and refuses none', () => {
    expect(summarise([3])).toEqual({ n: 1, mean: 3, sd: undefined, interval: undefined })
    expect(() => summarise([])).toThrow(RangeError)
  })
})

it('the harmonic mean of two accuracies', () => {
  // Zhou et al., CVPR 2022: base 80.47, new 71.69
  expect(harmonicMean(80.47, 71.69)).toBeCloseTo(75.83, 2)
  expect(harmonicMean(0, 0)).toBe(0)
})

describe('wilsonInterval', () => {
  // Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('of %i in %i', (right, n, low, high) => {
    const [a, b] = wilsonInterval(right, n)
    expect(a).toBeCloseTo(low, 4)
    expect(b).toBeCloseTo(high, 4)
    const mirrored = wilsonInterval(n - right, n)
    expect(mirrored[0]).toBeCloseTo(1 - b, 12)
    expect(mirrored[1]).toBeCloseTo(1 - a, 12)
  })

  it('has no interval of nothing', () => expect(() => wilsonInterval(0, 0)).toThrow(RangeError))
})
