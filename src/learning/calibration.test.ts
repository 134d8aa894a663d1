import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { randomFor } from '../base/random.ts'
import { floatTensor } from '../graph/tensor.ts'
import { calibrationError, fitTemperature, reliabilityBins } from './calibration.ts'
import { softmaxRows } from './vectors.ts'

const numbers = z.array(z.number())
/** By NumPy and SciPy (minimize_scalar over 1 / T) in float64; bins: images, accuracy, mean confidence. */
const cases = z
  .array(
    z.object({
      classes: z.int(),
      logits: numbers,
      labels: numbers,
      temperature: z.number(),
      ece: z.number(),
      ece10: z.number(),
      bins: z.array(z.tuple([z.int(), z.number().nullable(), z.number().nullable()])),
    }),
  )
  .parse(JSON.parse(readFileSync(new URL('fixtures/calibration.json', import.meta.url), 'utf8')))

const rows = (values: readonly number[], classes: number) =>
  floatTensor([values.length / classes, classes], Float32Array.from(values))

/** Logits of images whose label is drawn from softmax(logits / T). */
function drawn(n: number, classes: number, T: number, seed: number) {
  const random = randomFor('calibration', seed)
  const logits = floatTensor([n, classes])
  const labels = Array.from({ length: n }, (_, i) => {
    const row = logits.data.subarray(i * classes, (i + 1) * classes)
    for (let c = 0; c < classes; c++) row[c] = 3 * T * random.normal()
    const gumbel = Array.from(row, (z) => z / T - Math.log(-Math.log(random.next())))
    return gumbel.indexOf(Math.max(...gumbel))
  })
  return { logits, labels }
}

describe('against NumPy and SciPy', () => {
  it.each(cases)(
    'temperature and calibration error: %#',
    async ({ classes, logits, labels, temperature, ...wanted }) => {
      const z = rows(logits, classes)
      expect(await fitTemperature(z, labels)).toBeCloseTo(temperature, 5)
      const p = softmaxRows(z)
      expect(calibrationError(p, labels)).toBeCloseTo(wanted.ece, 6)
      expect(calibrationError(p, labels, 10)).toBeCloseTo(wanted.ece10, 6)
      for (const [i, { count, accuracy, confidence }] of reliabilityBins(p, labels).entries()) {
        const [n, acc, conf] = wanted.bins[i] ?? []
        expect(count).toBe(n)
        if (n === 0) continue
        expect(accuracy).toBeCloseTo(acc ?? Number.NaN, 6)
        expect(confidence).toBeCloseTo(conf ?? Number.NaN, 6)
      }
    },
  )
})

describe('fitTemperature', () => {
  it.each([0.01, 1, 30])('finds the temperature that labels were drawn at: %d', async (T) => {
    const { logits, labels } = drawn(4000, 5, T, 1)
    const found = await fitTemperature(logits, labels)
    expect(found / T).toBeGreaterThan(0.93)
    expect(found / T).toBeLessThan(1.07)
    const divided = floatTensor(
      logits.shape,
      logits.data.map((z) => z / found),
    )
    expect(calibrationError(softmaxRows(divided), labels)).toBeLessThan(0.03)
  })

  it('scales with the logits, and does not mind what is added to a row', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        async (seed, by) => {
          const { logits, labels } = drawn(30, 3, 1, seed)
          const T = await fitTemperature(logits, labels)
          const other = floatTensor(
            logits.shape,
            logits.data.map((z, i) => by * z + Math.floor(i / 3)),
          )
          expect((await fitTemperature(other, labels)) / (by * T)).toBeCloseTo(1, 2)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('all right: no surer than as many right answers allow', async () => {
    const labels = [0, 1, 0, 1, 0, 1, 0, 1]
    const logits = rows(
      labels.flatMap((y, i) => (y === 0 ? [5 + i, 0] : [0, 5 + i])),
      2,
    )
    const T = await fitTemperature(logits, labels)
    const p = softmaxRows(
      floatTensor(
        logits.shape,
        logits.data.map((z) => z / T),
      ),
    )
    const confidences = labels.map((y, i) => p.data[2 * i + y] ?? 0)
    expect(confidences.reduce((a, b) => a + b) / labels.length).toBeCloseTo(9 / 10, 6)
  })

  it('all wrong: as good as even', async () => {
    const logits = rows([9, 0, 9, 0, 0, 9], 2)
    const T = await fitTemperature(logits, [1, 1, 0])
    expect(T).toBeCloseTo(9000, 3)
  })

  it('nothing told apart: 1', async () => {
    expect(await fitTemperature(rows([2, 2, -7, -7], 2), [0, 1])).toBe(1)
    expect(await fitTemperature(rows([2, 3], 1), [0, 0])).toBe(1)
  })

  it('huge logits stay numbers', async () => {
    const T = await fitTemperature(rows([3e38, -3e38, 1e38, 2e38, -3e38, 3e38], 2), [0, 0, 1])
    expect(Number.isFinite(T)).toBe(true)
  })

  it('refuses what are no logits of these images', async () => {
    const logits = rows([1, 2, 3, 4], 2)
    await expect(fitTemperature(logits, [0])).rejects.toThrow('rows of 2 images, but labels for 1')
    await expect(fitTemperature(logits, [0, 2])).rejects.toThrow('the label 2 is outside the 2 classes')
    await expect(fitTemperature(rows([1, Number.NaN], 2), [0])).rejects.toThrow('no finite numbers')
    await expect(fitTemperature(floatTensor([0, 2]), [])).rejects.toThrow('no images')
  })
})

describe('calibrationError', () => {
  it('of sure right answers 0, of sure wrong ones 1, of even ones at their share 0', () => {
    expect(calibrationError(rows([1, 0, 0, 1], 2), [0, 1])).toBe(0)
    expect(calibrationError(rows([1, 0, 0, 1], 2), [1, 0])).toBe(1)
    expect(calibrationError(rows([0.5, 0.5, 0.5, 0.5], 2), [0, 1])).toBe(0)
  })

  it('refuses what are no probabilities', () => {
    expect(() => calibrationError(rows([3, -2], 2), [0])).toThrow('from 0 to 1')
  })
})
