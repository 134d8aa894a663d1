import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PythonRandom } from './python-random.ts'

/** What CPython 3.11 gives after `random.seed(seed)`, calls in this order. */
interface Recorded {
  seed: string
  random: number[]
  bits: [bits: number, value: number][]
  randrange: [args: [number, number?, number?], value: number][]
  sample: [n: number, k: number, picked: number[]][]
  shuffle: number[]
  late: number
}

const recorded: Recorded[] = JSON.parse(readFileSync(new URL('fixtures/python-random.json', import.meta.url), 'utf8'))
const range = (n: number) => Array.from({ length: n }, (_, i) => i)

describe('PythonRandom', () => {
  it.each(recorded.map((row) => [row.seed.slice(0, 24), row] as const))('equals CPython with seed %s', (_, row) => {
    const random = new PythonRandom(BigInt(row.seed))
    expect(row.random.map(() => random.random())).toEqual(row.random)
    expect(row.bits.map(([bits]) => [bits, random.getrandbits(bits)])).toEqual(row.bits)
    expect(row.randrange.map(([args]) => [args, random.randrange(...args)])).toEqual(row.randrange)
    expect(row.sample.map(([n, k]) => [n, k, random.sample(range(n), k)])).toEqual(row.sample)
    const shuffled = range(row.shuffle.length)
    random.shuffle(shuffled)
    expect(shuffled).toEqual(row.shuffle)
    for (let i = 0; i < 2000; i++) random.random()
    expect(random.random()).toBe(row.late)
  })

  it('takes number and bigint seeds alike and drops the sign', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (seed) => {
        const first = new PythonRandom(seed).random()
        expect(new PythonRandom(BigInt(seed)).random()).toBe(first)
        expect(new PythonRandom(-seed).random()).toBe(first)
      }),
      { numRuns: 20 },
    )
  })

  it('samples different items of the population, whatever its size', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.nat(400), fc.nat(400), (seed, a, b) => {
        const [k, n] = [Math.min(a, b), Math.max(a, b)]
        const picked = new PythonRandom(seed).sample(range(n), k)
        expect(new Set(picked).size).toBe(k)
        expect(picked.every((i) => i >= 0 && i < n)).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  it('refuses what Python refuses', () => {
    const random = new PythonRandom(1)
    expect(() => new PythonRandom(1.5)).toThrow(/whole number/)
    expect(() => new PythonRandom(Number.NaN)).toThrow(/whole number/)
    expect(() => random.sample([1, 2], 3)).toThrow(/3 of 2/)
    expect(() => random.sample([1, 2], -1)).toThrow(RangeError)
    expect(() => random.randrange(0)).toThrow(/empty/)
    expect(() => random.randrange(5, 5)).toThrow(/empty/)
    expect(() => random.randrange(0, 5, 0)).toThrow(/empty/)
    expect(() => random.getrandbits(54)).toThrow(RangeError)
  })
})
