import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { floatTensor } from '../../graph/index.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { engine as runtime } from '../../testing/engine.ts'
import { distance } from '../../testing/method-figures.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { linearOutputs } from '../linear-probe/linear-model.ts'
import { zeroShot } from '../zero-shot/index.ts'
import { fitDiscriminant } from './discriminant.ts'
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
