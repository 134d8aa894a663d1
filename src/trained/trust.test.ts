import { describe, expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { argmaxRows, softmaxRows } from '../learning/vectors.ts'
import { chosenThreshold, decidedOn, probabilitiesOf, trustOf, worthByFolds, worthOnTest } from './trust.ts'

const CLASSES = 4
const NONE = floatTensor([0, CLASSES])

/** Logits that are `sharpness` times those by which the labels were drawn: probabilities that are too sure by that. */
function drawn(n: number, sharpness: number, seed: number) {
  const random = randomFor('trust', seed)
  const truth = floatTensor(
    [n, CLASSES],
    Float32Array.from({ length: n * CLASSES }, () => 1.5 * random.normal()),
  )
  const { data } = softmaxRows(truth)
  const labels = Array.from({ length: n }, (_, i) => {
    let left = random.next()
    for (let c = 0; c < CLASSES; c++) {
      left -= data[i * CLASSES + c]!
      if (left < 0) return c
    }
    return CLASSES - 1
  })
  const logits = floatTensor(
    truth.shape,
    truth.data.map((z) => sharpness * z),
  )
  return { logits, labels, folds: labels.map((_, i) => 1 + (i % 5)) }
}

describe('probabilities', () => {
  it('are as sure as they are right once logits are divided by the temperature', async () => {
    const judged = drawn(2000, 5, 1)
    const trust = await trustOf(judged, NONE, {})
    expect(trust.temperature).toBeGreaterThan(4.5)
    expect(trust.temperature).toBeLessThan(5.5)
    const test = drawn(4000, 5, 2)
    for (const { calibration } of [
      await worthOnTest(test, NONE, trust, {}),
      await worthByFolds(judged, NONE, trust, {}),
    ]) {
      expect(calibration.temperature).toBe(trust.temperature)
      expect(calibration.before).toBeGreaterThan(0.2)
      expect(calibration.after).toBeLessThan(0.05)
    }
  })

  it('are softmax(logits / temperature)', async () => {
    const logits = floatTensor([1, 3], Float32Array.of(2, 0, 4))
    const [a, b, c] = [Math.exp(1), 1, Math.exp(2)]
    const { data } = await probabilitiesOf(logits, 2)
    for (const [i, p] of [a, b, c].entries()) expect(data[i]).toBeCloseTo(p / (a + b + c), 6)
    expect((await probabilitiesOf(logits)).data).toEqual(softmaxRows(logits).data)
  })

  it('of a fold are calibrated by the other folds: one that misleads is not hidden', async () => {
    // in fold 1 the surest answers are all wrong, elsewhere all right
    const n = 100
    const logits = floatTensor([n, 2])
    for (let i = 0; i < n; i++) logits.data[2 * i] = 5
    const folds = Array.from({ length: n }, (_, i) => (i < 20 ? 1 : 2))
    const labels = folds.map((fold) => (fold === 1 ? 1 : 0))
    const { calibration } = await worthByFolds(
      { logits, labels, folds },
      NONE,
      await trustOf({ logits, labels }, NONE, {}),
      {},
    )
    // fold 1 by a temperature from right answers alone: sure and wrong; fold 2 by one from wrong ones: as good as even
    expect(calibration.after).toBeGreaterThan(0.4)
  })
})

describe('label sets', () => {
  it('hold the class as often as they say, on test pictures and by folds', async () => {
    const options = { sets: 0.8 }
    const judged = drawn(1500, 3, 3)
    const trust = await trustOf(judged, NONE, options)
    expect(trust.sets).toBe(0.8)
    expect(trust.truths).toHaveLength(1500)
    for (const { sets } of [
      await worthOnTest(drawn(3000, 3, 4), NONE, trust, options),
      await worthByFolds(judged, NONE, trust, options),
    ]) {
      expect(sets.coverage).toBe(0.8)
      expect(sets.reached).toBeGreaterThan(0.77)
      expect(sets.reached).toBeLessThan(0.83)
      expect(sets.meanSize).toBeLessThan(CLASSES)
    }
  })

  it('are all classes where pictures are too few to say less', async () => {
    const few = drawn(6, 1, 5)
    const trust = await trustOf(few, NONE, {})
    const { sets } = await worthOnTest(drawn(50, 1, 6), NONE, trust, { sets: 0.9 })
    expect(sets).toMatchObject({ coverage: 0.9, reached: 1, meanSize: CLASSES })
  })
})

describe('a threshold', () => {
  const answers = (...list: readonly [number, boolean][]) =>
    list.map(([probability, right]) => ({ probability, right }))

  it('is chosen by pictures of no class, between the two', () => {
    const own = answers([0.9, true], [0.8, true], [0.7, false])
    expect(chosenThreshold(own, [0.5, 0.3])).toBeCloseTo(0.6, 12)
    // one of two is as sure as the surest: it is let pass
    expect(chosenThreshold(own, [0.95, 0.3])).toBeCloseTo(0.5, 12)
    expect(chosenThreshold(own, [])).toBeUndefined()
  })

  it('keeps a rate of wrong answers, of which those to pictures of no class are some', () => {
    const own = answers(...Array.from({ length: 20 }, (_, i): [number, boolean] => [0.99 - i / 100, i < 15]))
    // 15 right, then (1 + 1) / (16 + 1), ...; a tenth is kept up to 15 answers: (0 + 1) / 16
    expect(chosenThreshold(own, [], 0.1)).toBeCloseTo((0.85 + 0.84) / 2, 12)
    // one wrong among the surest: (1 + 1) / (16 + 1) is more than a tenth, at all thresholds
    expect(chosenThreshold(own, [0.995], 0.1)).toBe(1)
    expect(chosenThreshold(own, [0.995], 0.2)).toBeLessThan(0.87)
    expect(chosenThreshold(answers([0.9, false]), [], 0.1)).toBe(1)
  })

  it('goes with the run, and its worth is counted', async () => {
    const sure = (n: number, z: number): FloatTensor =>
      floatTensor(
        [n, 2],
        Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? z : 0)),
      )
    const labels = Array.from({ length: 20 }, (_, i) => (i === 0 ? 1 : 0))
    const others = sure(10, 0.1)
    const judged = { logits: sure(20, 3), labels, folds: labels.map((_, i) => 1 + (i % 2)) }
    const trust = await trustOf(judged, others, {})
    const { reject } = await worthByFolds(judged, others, trust, {})
    expect(reject).toMatchObject({ by: '_other', threshold: trust.reject, answered: 1, others: 10, rejected: 1 })
    expect(reject?.accuracy).toBeCloseTo(19 / 20, 12)
    expect((await worthOnTest(judged, NONE, trust, {})).reject).toMatchObject({ on: 'test', others: 0, rejected: null })
    expect((await worthByFolds(judged, NONE, await trustOf(judged, NONE, {}), {})).reject).toBeNull()
    // asked for another: nothing reaches it
    expect((await decidedOn(judged, others, trust, { reject: 1 })).reject).toEqual({
      ...{ threshold: 1, answered: 0, accuracy: null, others: 10, rejected: 1 },
    })
    expect(await decidedOn(judged, others, undefined, {})).toEqual({})
    expect(argmaxRows(judged.logits)).toEqual(labels.map(() => 0))
  })
})
