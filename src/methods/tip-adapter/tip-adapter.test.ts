import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type FloatTensor, floatTensor, intTensor, matmul } from '../../graph/index.ts'
import { inOrder } from '../../learning/batches.ts'
import { graphClassifier, textClassifier } from '../../learning/classifier.ts'
import { unitRows } from '../../learning/logits.ts'
import { mapRows } from '../../learning/rows.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { distance } from '../../testing/distance.ts'
import { engine as runtime } from '../../testing/engine.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { type Cache, searchWeighting, tipLogits, tipStep } from './cache.ts'
import { fineTuneKeys } from './fine-tune.ts'
import { tipAdapter, tipAdapterF } from './index.ts'

const numbers = z.array(z.number())
/** By PyTorch in float64, on random features and text features. */
const figures = z
  .object({
    classes: z.int(),
    embed: z.int(),
    features: numbers,
    labels: numbers,
    val: numbers,
    valLabels: numbers,
    text: numbers,
    alpha: z.number(),
    beta: z.number(),
    valLogits: numbers,
    grid: z.object({ maxBeta: z.number(), maxAlpha: z.number(), betaSteps: z.int(), alphaSteps: z.int() }),
    search: z.object({ beta: z.number(), alpha: z.number(), accuracy: z.number() }),
    step: z.object({ loss: z.number(), logits: numbers, gradient: numbers }),
    run: z.object({
      epochs: z.int(),
      batchSize: z.int(),
      learningRate: z.number(),
      losses: numbers,
      rates: numbers,
      keys: numbers,
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/tip-adapter.json', import.meta.url), 'utf8')))

const clip = await tinyClip() // its logit scale is the figures'

const { classes, embed, labels, alpha, beta } = figures
const rows = (values: readonly number[]) => floatTensor([values.length / embed, embed], Float32Array.from(values))
const [features, val, text] = [rows(figures.features), rows(figures.val), rows(figures.text)]
const cache: Cache = { keys: normaliseRows(features), labels }
const named = () => ({ clip, runtime, classNames: Array.from({ length: classes }, (_, c) => `${c}`) })
const affinitiesOf = (x: FloatTensor) =>
  mapRows(runtime, x, (some) => matmul(unitRows(some), some.graph.constant(cache.keys), { transB: true }))

describe('against PyTorch', () => {
  it('logits', async () => {
    const classifier = graphClassifier(named(), (x) =>
      tipLogits(clip, x, { keys: x.graph.constant(cache.keys), labels }, text, { alpha, beta }),
    )
    const logits = await classifier.logits(val)
    expect(distance(logits.data, figures.valLogits)).toBeLessThan(1e-5)
  })

  it('the search for alpha and beta', async () => {
    const clipLogits = await textClassifier(named(), text).logits(val)
    const chooser = { affinities: await affinitiesOf(val), clipLogits, labels: figures.valLabels }
    const found = await searchWeighting(runtime, chooser, labels, figures.grid)
    expect(found.alpha).toBeCloseTo(figures.search.alpha, 10)
    expect(found.beta).toBeCloseTo(figures.search.beta, 10)
    expect(found.right).toBe(Math.round(figures.search.accuracy * figures.valLabels.length))
  })

  it('a step of fine-tuning', async () => {
    const batch = figures.step.logits.length / classes
    const session = await runtime.load(tipStep(clip, text, cache, { alpha, beta }, batch))
    const outputs = await session.run({
      keys: cache.keys,
      features: floatTensor([batch, embed], features.data.slice(0, batch * embed)),
      labels: intTensor([batch], labels.slice(0, batch)),
    })
    await session.dispose()
    expect(distance(outputs.loss?.data ?? [], [figures.step.loss])).toBeLessThan(1e-5)
    expect(distance(outputs.logits?.data ?? [], figures.step.logits)).toBeLessThan(1e-5)
    expect(distance(outputs['gradient.keys']?.data ?? [], figures.step.gradient)).toBeLessThan(1e-4)
  })

  it('a short fine-tuning, the last batch of each epoch smaller: losses, rates and keys', async () => {
    const { run } = figures
    const set = { features: floatTensor([labels.length, 1, embed], features.data), labels }
    const task = { runtime, train: set }
    const settings = { alpha, beta, ...run }
    const tuned = await fineTuneKeys(clip, task, text, cache, settings, inOrder, {})
    expect(
      distance(
        Float64Array.from(tuned.steps, ({ loss }) => loss),
        run.losses,
      ),
    ).toBeLessThan(1e-5)
    expect(
      distance(
        Float64Array.from(tuned.steps, ({ learningRate }) => learningRate),
        run.rates,
      ),
    ).toBeLessThan(1e-9)
    expect(distance(tuned.cache.keys.data, run.keys)).toBeLessThan(1e-4)
  })
})

describe('the search', () => {
  it('falls back on CLIP alone where no weighting has an image right', async () => {
    const none = { maxAlpha: 3, alphaSteps: 3, maxBeta: 3, betaSteps: 3 }
    const chooser = { affinities: floatTensor([1, 2]), clipLogits: floatTensor([1, 3]), labels: [2] }
    const found = await searchWeighting(runtime, chooser, [0, 1], none)
    expect(found).toEqual({ alpha: 0, beta: 0, right: 0 })
  })
})

describe('as methods', () => {
  const task = () => ({
    clip,
    runtime,
    classNames: toyClasses,
    templates: ['a photo of a {}.'],
    train: toySet(3),
    val: toySet(2, 1),
    shots: 3,
    seed: 1,
  })
  const test = toySet(10, 1)
  const accuracy = async (method: typeof tipAdapter, settings: object = {}, changes: object = {}) => {
    const learned = await method.learn({ ...task(), ...changes }, settings, {})
    const classifier = await method.classifier(task(), settings, learned)
    const logits = await classifier.logits(floatTensor([30, 10], test.features.data))
    const right = test.labels.filter((label, i) => {
      const row = logits.data.subarray(3 * i, 3 * i + 3)
      return row.indexOf(Math.max(...row)) === label
    })
    return { accuracy: right.length / 30, learned }
  }

  it('tell the toy classes apart, and keep what was found', async () => {
    const plain = await accuracy(tipAdapter)
    const tuned = await accuracy(tipAdapterF)
    expect(plain.accuracy).toBeGreaterThan(0.9)
    expect(tuned.accuracy).toBeGreaterThan(0.9)
    expect(plain.learned.facts).toMatchObject({ searched: true, valAccuracy: 1 })
    expect(plain.learned.steps).toHaveLength(0)
    expect(tuned.learned.steps).toHaveLength(20)
  })

  it('take the given weighting without validation images, or when told not to search', async () => {
    const facts = { alpha: 2, beta: 3, searched: false }
    const val = { features: floatTensor([0, 1, 10]), labels: [] }
    expect((await accuracy(tipAdapter, { alpha: 2, beta: 3 }, { val })).learned.facts).toEqual(facts)
    expect((await accuracy(tipAdapter, { alpha: 2, beta: 3, search: false })).learned.facts).toEqual(facts)
  })

  it('refuse a class without images, by name', async () => {
    const train = { features: floatTensor([2, 1, 10]), labels: [0, 1] }
    await expect(tipAdapter.learn({ ...task(), train }, {}, {})).rejects.toThrow(/"house"/)
  })
})
