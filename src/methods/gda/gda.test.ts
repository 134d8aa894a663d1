import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { randomFor } from '../../base/random.ts'
import { floatTensor } from '../../graph/index.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { distance } from '../../testing/distance.ts'
import { engine as runtime } from '../../testing/engine.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { linearOutputs } from '../linear-probe/linear-model.ts'
import { zeroShot } from '../zero-shot/index.ts'
import { solveSymmetric } from './cholesky.ts'
import { fewRows, fitDiscriminant } from './discriminant.ts'
import { gda, mixed, searchAlpha } from './index.ts'

const numbers = z.array(z.number())
/** By NumPy in float64, on random features of unequal classes, two views an image, and random text features. */
const figures = z
  .object({
    classes: z.int(),
    embed: z.int(),
    views: z.int(),
    scale: z.number(),
    features: numbers,
    labels: numbers,
    text: numbers,
    val: numbers,
    valLabels: numbers,
    weights: numbers,
    intercepts: numbers,
    alpha: z.number(),
    logits: numbers,
    search: z.object({ alpha: z.number(), accuracy: z.number() }),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/gda.json', import.meta.url), 'utf8')))

const clip = await tinyClip()
const { classes, embed, labels, scale } = figures
const rows = (values: readonly number[]) => floatTensor([values.length / embed, embed], Float32Array.from(values))
const features = floatTensor([labels.length, figures.views, embed], Float32Array.from(figures.features))
const text = rows(figures.text)

describe('against NumPy', () => {
  it('weights, intercepts and logits', async () => {
    const found = await fitDiscriminant(runtime, { features, labels }, classes)
    expect(distance(found.weights, figures.weights)).toBeLessThan(1e-5)
    expect(distance(found.intercepts, figures.intercepts)).toBeLessThan(1e-5)
    const logits = await linearOutputs(mixed(scale, text, found, figures.alpha), normaliseRows(rows(figures.val)).data)
    expect(distance(logits, figures.logits)).toBeLessThan(1e-5)
  })

  it('the search for alpha', async () => {
    const found = await fitDiscriminant(runtime, { features, labels }, classes)
    const val = { x: rows(figures.val), labels: figures.valLabels }
    const { alpha, valAccuracy } = await searchAlpha(runtime, scale, text, found, val)
    expect(alpha).toBe(figures.search.alpha)
    expect(valAccuracy).toBeCloseTo(figures.search.accuracy, 10)
  })
})

it('of few rows, all or some, by their inner products, is that of the scatter itself', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 6, max: 19 }), fc.integer({ min: 2, max: 4 }), fc.nat(), async (n, k, seed) => {
      const d = 20
      const { normal } = randomFor('few rows', seed)
      const x = normaliseRows(floatTensor([n, d], Float32Array.from({ length: n * d }, normal)))
      const own = Array.from({ length: n }, (_, i) => i % k)
      const rows = await fewRows(x, own, k)
      for (const some of [Array.from(own.keys()), Array.from(own.keys()).slice(1)]) {
        const found = await rows.fit(some)
        const { weights, intercepts } = await byDefinition(x.data, some, own, k, d)
        expect(distance(found.weights, weights)).toBeLessThan(1e-9)
        expect(distance(found.intercepts, intercepts)).toBeLessThan(1e-9)
        expect([found.samples, found.spread]).toEqual([some.length, true])
      }
    }),
    { numRuns: 30 },
  )
})

it('solves systems of any size', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 30 }), fc.nat(), async (d, seed) => {
      const { normal } = randomFor('system', seed)
      const root = Float64Array.from({ length: d * d }, normal)
      const a = new Float64Array(d * d)
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < d; j++) {
          for (let k = 0; k < d; k++) a[i * d + j]! += root[i * d + k]! * root[j * d + k]!
          if (i === j) a[i * d + j]! += 1
        }
      }
      const x = Float64Array.from({ length: 2 * d }, normal)
      const b = new Float64Array(2 * d)
      for (let r = 0; r < 2; r++)
        for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) b[r * d + i]! += a[i * d + j]! * x[r * d + j]!
      await solveSymmetric(a, b, d)
      expect(distance(b, x)).toBeLessThan(1e-9)
    }),
  )
})

/** P = d (S + tr(S) / (N - 1) I)^-1, w = P mu, b = -log classes - mu . w / 2, in float64. */
async function byDefinition(x: Float32Array, some: readonly number[], own: readonly number[], k: number, d: number) {
  const members = (c: number) => some.filter((i) => own[i] === c)
  const means = new Float64Array(k * d)
  for (let c = 0; c < k; c++)
    for (const i of members(c)) for (let j = 0; j < d; j++) means[c * d + j]! += x[i * d + j]! / members(c).length
  const scatter = new Float64Array(d * d)
  const deviation = (i: number, j: number) => x[i * d + j]! - means[own[i]! * d + j]!
  for (const i of some)
    for (let a = 0; a < d; a++) for (let b = 0; b < d; b++) scatter[a * d + b]! += deviation(i, a) * deviation(i, b)
  const trace = Array.from({ length: d }, (_, j) => scatter[j * d + j]!).reduce((a, b) => a + b)
  for (let j = 0; j < d; j++) scatter[j * d + j]! += trace / (some.length - 1)
  const weights = means.slice()
  await solveSymmetric(scatter, weights, d)
  for (let at = 0; at < weights.length; at++) weights[at]! *= d
  const dot = (c: number) =>
    Array.from({ length: d }, (_, j) => means[c * d + j]! * weights[c * d + j]!).reduce((a, b) => a + b)
  return { weights, intercepts: Array.from({ length: k }, (_, c) => -Math.log(k) - dot(c) / 2) }
}

describe('as a method', () => {
  const task = (changes: object = {}) => ({
    clip,
    runtime,
    classNames: toyClasses,
    templates: ['a photo of a {}.'],
    train: toySet(3),
    val: { features: floatTensor([0, 1, 10]), labels: [] },
    shots: 3,
    seed: 1,
    ...changes,
  })
  const test = floatTensor([30, 10], toySet(10, 1).features.data)
  const logitsOf = async (changes: object = {}, settings: object = {}) => {
    const learned = await gda.learn(task(changes), settings, {})
    const classifier = await gda.classifier(task(changes), settings, learned)
    return { facts: learned.facts, classifier, logits: await classifier.logits(test) }
  }
  const zeroShotLogits = async () => {
    const classifier = await zeroShot.classifier(task(), {}, { tensors: new Map() })
    return classifier.logits(test)
  }

  it('tells the toy classes apart, also with one class of many images beside small ones', async () => {
    const { classifier } = await logitsOf()
    const { labels } = toySet(10, 1)
    const right = (predicted: readonly number[]) => labels.filter((label, i) => predicted[i] === label).length
    expect(right(await classifier.predict(test))).toBeGreaterThan(27)
    const many = toySet(60, 1)
    const kept = many.labels.flatMap((label, i) => (label === 0 || i < 6 ? [i] : []))
    const rows = kept.flatMap((i) => Array.from(many.features.data.subarray(10 * i, 10 * i + 10)))
    const uneven = {
      features: floatTensor([kept.length, 1, 10], Float32Array.from(rows)),
      labels: kept.map((i) => many.labels[i] ?? 0),
    }
    const { classifier: other } = await logitsOf({ train: uneven })
    expect(right(await other.predict(test))).toBeGreaterThan(27)
  })

  it('takes alpha as given, searched, or (N - 1) / d without validation images', async () => {
    expect((await logitsOf({}, { alpha: 3 })).facts).toMatchObject({ alpha: 3, searched: false })
    expect((await logitsOf()).facts).toMatchObject({ alpha: 17 / 10, searched: false })
    expect((await logitsOf({ val: toySet(2, 1) })).facts).toMatchObject({ searched: true, valAccuracy: 1 })
  })

  it('is zero-shot, and says so, where the pictures of each class are the same', async () => {
    const one = toySet(1, 1)
    const { logits, facts } = await logitsOf({ train: one }, { alpha: 1 })
    const hand = (await zeroShotLogits()).data.map((x) => x - Math.log(3))
    expect(distance(logits.data, hand)).toBeLessThan(1e-5)
    expect(facts.note).toMatch(/do not differ/)
    const [a = 0] = one.features.data
    const equal = {
      features: floatTensor([9, 1, 10], new Float32Array(90).fill(a)),
      labels: [0, 1, 2, 0, 1, 2, 0, 1, 2],
    }
    expect(distance((await logitsOf({ train: equal }, { alpha: 1 })).logits.data, hand)).toBeLessThan(1e-5)
  })

  it('refuses a class without images, by name, and features that are not numbers', async () => {
    const train = { features: floatTensor([2, 1, 10], new Float32Array(20).fill(1)), labels: [0, 1] }
    await expect(logitsOf({ train })).rejects.toThrow(/"house"/)
    const broken = toySet(3)
    broken.features.data[25] = Number.NaN
    await expect(logitsOf({ train: broken })).rejects.toThrow(/image 2 of 9 .*not finite/)
  })
})
