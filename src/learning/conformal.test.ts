import { expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import { floatTensor } from '../graph/tensor.ts'
import { conformalThreshold, coverageOf, labelProbabilities } from './conformal.ts'
import { softmaxRows } from './vectors.ts'

/** Images of five classes whose logits favour the label a little; as many as one likes of the same kind. */
function drawn(n: number, seed: number) {
  const random = randomFor('conformal', seed)
  const labels = Array.from({ length: n }, () => Math.floor(5 * random.next()))
  const logits = floatTensor([n, 5])
  for (const [i, label] of labels.entries())
    for (let c = 0; c < 5; c++) logits.data[i * 5 + c] = 3 * random.normal() + (c === label ? 2 : 0)
  return { labels, probabilities: softmaxRows(logits) }
}

it('takes the probability at the rank of the finite sample, all classes where images are too few', () => {
  const truths = [0.9, 0.1, 0.5, 0.7, 0.3, 0.8, 0.6, 0.2, 0.4]
  // ceil(10 * 0.9) = 9 of 9: the smallest; ceil(10 * 0.5) = 5: the fifth largest
  expect(conformalThreshold(truths, 0.9)).toBe(0.1)
  expect(conformalThreshold(truths, 0.5)).toBe(0.5)
  expect(conformalThreshold(truths, 0.91)).toBe(0)
  expect(conformalThreshold([], 0.5)).toBe(0)
  // 20 * 0.95 is 19 of 19
  expect(
    conformalThreshold(
      Array.from({ length: 19 }, (_, i) => (i + 1) / 20),
      0.95,
    ),
  ).toBe(1 / 20)
  for (const coverage of [0, 1, 1.5, -0.1, Number.NaN]) {
    expect(() => conformalThreshold(truths, coverage)).toThrow(/above 0 and below 1, not/)
  }
})

it.each([0.5, 0.8, 0.9, 0.95])(
  'sets hold the label of %f of new images, whatever the probabilities are worth',
  async (coverage) => {
    let reached = 0
    for (let seed = 0; seed < 40; seed++) {
      const [known, fresh] = [drawn(60, seed), drawn(400, 1000 + seed)]
      const threshold = conformalThreshold(labelProbabilities(known.probabilities, known.labels), coverage)
      const { reached: share } = await coverageOf(fresh.probabilities, fresh.labels, () => threshold)
      reached += share / 40
    }
    // the deviation of a mean of 40 thresholds from 60 images each is below 0.01
    expect(reached).toBeGreaterThan(coverage - 0.02)
    expect(reached).toBeLessThan(coverage + 0.05)
  },
)

it('never leaves a set empty, and counts what is in it', async () => {
  const probabilities = floatTensor([2, 3], Float32Array.of(0.5, 0.3, 0.2, 0.1, 0.2, 0.7))
  expect(await coverageOf(probabilities, [0, 1], () => 0.9)).toEqual({ reached: 0.5, meanSize: 1 })
  expect(await coverageOf(probabilities, [0, 1], () => 0.2)).toMatchObject({ reached: 1, meanSize: 2.5 })
  expect(await coverageOf(probabilities, [2, 1], (i) => (i === 0 ? 0.4 : 0))).toEqual({ reached: 0.5, meanSize: 2 })
})
