import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { randomFor } from '../../base/random.ts'
import { floatTensor } from '../../graph/tensor.ts'
import { fitMix, lossOfMix } from './mix.ts'

const numbers = z.array(z.number())
/** By SciPy's L-BFGS-B in float64, from weights of 1 / parts and drawn to these. */
const cases = z
  .array(
    z.object({
      classes: z.int(),
      labels: numbers,
      parts: z.array(numbers),
      strength: z.number(),
      weights: numbers,
      loss: z.number(),
    }),
  )
  .parse(JSON.parse(readFileSync(new URL('fixtures/mix.json', import.meta.url), 'utf8')))

const rows = (values: readonly number[], classes: number) =>
  floatTensor([values.length / classes, classes], Float32Array.from(values))

it.each(cases)('the weights and the loss of SciPy: %#', async ({ classes, labels, parts, strength, weights, loss }) => {
  const logits = parts.map((part) => rows(part, classes))
  const found = await fitMix(logits, labels, { towards: parts.map(() => 1 / parts.length), strength })
  for (const [i, weight] of weights.entries()) expect(found[i]).toBeCloseTo(weight, 4)
  expect(await lossOfMix(logits, labels, found)).toBeCloseTo(loss, 7)
})

describe('fitMix', () => {
  it('is what it is drawn to where there are no images', async () => {
    const parts = [floatTensor([0, 3]), floatTensor([0, 3])]
    expect(await fitMix(parts, [], { towards: [0.25, 0.5], strength: 10 })).toEqual([0.25, 0.5])
  })

  it('gives nothing to a part that says the opposite, or nothing', async () => {
    const labels = [0, 1, 0, 1, 0, 1]
    const good = rows(
      labels.flatMap((y, i) => (i === 5 ? [2, 0] : y === 0 ? [2, 0] : [0, 2])),
      2,
    )
    const bad = floatTensor(
      good.shape,
      good.data.map((x) => -x),
    )
    const none = floatTensor(good.shape)
    const [a = 0, b = 0, c = 0] = await fitMix([good, bad, none], labels, { towards: [0, 0, 0], strength: 0.01 })
    expect(a).toBeGreaterThan(0.3)
    expect([b, c]).toEqual([0, 0])
  })

  it('loses to no part alone, at any weight', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.double({ min: 0, max: 3, noNaN: true }),
        async (seed, alone) => {
          const random = randomFor('mix', seed)
          const labels = Array.from({ length: 20 }, () => random.int(3))
          const parts = [0, 1, 2].map(() =>
            floatTensor(
              [20, 3],
              Float32Array.from({ length: 60 }, () => 3 * random.normal()),
            ),
          )
          const found = await lossOfMix(parts, labels, await fitMix(parts, labels, { towards: [0, 0, 0], strength: 0 }))
          for (const k of [0, 1, 2]) {
            const weights = [0, 1, 2].map((i) => (i === k ? alone : 0))
            expect(found).toBeLessThanOrEqual((await lossOfMix(parts, labels, weights)) + 1e-6)
          }
        },
      ),
      { numRuns: 40 },
    )
  })
})
