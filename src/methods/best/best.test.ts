import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { randomFor } from '../../base/random.ts'
import { floatTensor } from '../../graph/tensor.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import { meanViews, subsetRows } from '../../learning/labelled-rows.ts'
import { logitFactor } from '../../learning/logits.ts'
import { argmaxRows, normaliseRows, softmaxRows } from '../../learning/vectors.ts'
import { engine as runtime } from '../../testing/engine.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { learnFewShot } from '../learn-few-shot.ts'
import { principalAxes } from '../linear-probe/principal-axes.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { DEFAULT_TEMPLATES } from '../zero-shot/templates.ts'
import { learnerOf, sumOf } from './candidates.ts'
import { best } from './index.ts'

const clip = await tinyClip()
const embed = clip.config.embedDim
const factsSchema = z.object({
  folds: z.int(),
  judged: z.int(),
  growth: z.number(),
  accuracy: z.number().optional(),
  logLoss: z.number().optional(),
  candidates: z.array(
    z.object({ name: z.string(), weight: z.number(), accuracy: z.number().optional(), logLoss: z.number().optional() }),
  ),
  note: z.string().optional(),
})

async function learn(
  train: TrainingSet,
  method: string | typeof best = best,
  classNames: readonly string[] = toyClasses,
) {
  const { classifier, learned } = await learnFewShot({ clip, runtime, classNames, train, method })
  return { classifier, learned, facts: factsSchema.parse(learned.facts) }
}
const test = toySet(20, 1)
const testRows = floatTensor([60, embed], test.features.data)
const rightOf = (answers: readonly number[]) => test.labels.filter((label, i) => answers[i] === label).length

/** Images without anything to tell them apart by. */
function noise(n: number): TrainingSet {
  const random = randomFor('noise', 1)
  const features = floatTensor(
    [n, 1, embed],
    Float32Array.from({ length: n * embed }, () => random.normal()),
  )
  return { features, labels: Array.from({ length: n }, (_, i) => i % 3) }
}
const finite = async ({ classifier }: Awaited<ReturnType<typeof learn>>) => {
  const logits = await classifier.logits(testRows)
  expect(logits.data.every(Number.isFinite)).toBe(true)
  return logits
}

describe('best', () => {
  it('tells the toy classes apart, and says by what', async () => {
    const { classifier, facts, learned } = await learn(toySet(6, 1))
    expect(rightOf(await classifier.predict(testRows))).toBeGreaterThan(57)
    expect(facts).toMatchObject({ folds: 6, judged: 18 })
    expect(facts.accuracy).toBeGreaterThan(0.9)
    expect(facts.candidates.map(({ name }) => name)).toEqual(['zero-shot', 'gda', 'probe, C=30', 'probe, C=300'])
    const { images, labels, logits } = learned.outOfFold!
    expect(images).toHaveLength(18)
    const right = argmaxRows(logits).filter((c, i) => c === labels[i]).length
    expect(right / 18).toBe(facts.accuracy)
  })

  it('is the mixture, surer by as much as all images are more than those of a fold', async () => {
    const { facts, learned } = await learn(toySet(6, 1))
    expect(facts.growth).toBeCloseTo(Math.sqrt(6 / 5), 12)
    const { x, labels } = await meanViews(toySet(6, 1))
    const text = await zeroShotFeatures({ clip, runtime, classNames: toyClasses, templates: DEFAULT_TEMPLATES })
    const rows = { x: normaliseRows(x), labels }
    const axes = await principalAxes(rows.x.data, labels.length, embed)
    const learner = await learnerOf(runtime, rows, axes, text, logitFactor(clip))
    const models = await learner.learn(Array.from(labels.keys())).finally(() => learner.dispose())
    const { weights } = sumOf(
      models,
      facts.candidates.map(({ weight }) => weight * Math.sqrt(6 / 5)),
    )
    const { data } = learned.tensors.get('weights') ?? floatTensor([0])
    expect(data).toHaveLength(weights.length)
    for (const [i, weight] of weights.entries()) expect(data[i]).toBeCloseTo(weight, 3)
    expect((await learn(toySet(1, 1))).facts.growth).toBe(1)
  })

  it('promises nothing of images that say nothing', async () => {
    const { facts, learned } = await learn(noise(60))
    expect(facts.accuracy).toBeLessThan(0.6)
    // a probability is as good as even
    const sure = softmaxRows(learned.outOfFold!.logits).data.reduce((a, b) => Math.max(a, b))
    expect(sure).toBeLessThan(0.9)
    expect(facts.logLoss).toBeLessThan(1.3)
  })

  it('is the same each time', async () => {
    const [a, b] = [await learn(toySet(4, 1)), await learn(toySet(4, 1))]
    expect(a.learned.tensors).toEqual(b.learned.tensors)
    expect(a.facts).toEqual(b.facts)
  })

  it('one image a class: there is nothing to judge by, and it says so', async () => {
    const { classifier, facts, learned } = await learn(toySet(1, 1))
    expect(facts).toMatchObject({
      folds: 0,
      judged: 0,
      note: 'one image a class: there is nothing to cross-validate by',
    })
    expect(facts.accuracy).toBeUndefined()
    expect(learned.outOfFold?.images).toEqual([])
    expect(rightOf(await classifier.predict(testRows))).toBeGreaterThan(50)
  })

  it('a class with one image is learned from and not judged; others are', async () => {
    const few = subsetRows(toySet(6, 1), [0, 3, 6, 9, 1, 4, 7, 2])
    const { classifier, facts } = await learn(few)
    expect(facts.judged).toBe(7)
    expect(rightOf(await classifier.predict(testRows))).toBeGreaterThan(45)
  })

  it('one class with hundreds of images, others with two', async () => {
    const many = toySet(300, 1)
    const kept = many.labels.flatMap((label, i) => (label === 0 || i < 6 ? [i] : []))
    const uneven = subsetRows(many, kept)
    const learned = await learn(uneven)
    expect(learned.facts.judged).toBe(kept.length)
    expect(rightOf(await learned.classifier.predict(testRows))).toBeGreaterThan(50)
  })

  it('all pictures equal, or of zeros: numbers, and a fair probability', async () => {
    for (const value of [1, 0]) {
      const features = floatTensor([12, 1, embed], new Float32Array(12 * embed).fill(value))
      const equal = await learn({ features, labels: Array.from({ length: 12 }, (_, i) => i % 3) })
      await finite(equal)
      expect(equal.facts.accuracy).toBeLessThan(0.5)
      expect(equal.facts.logLoss).toBeLessThan(1.3)
    }
  })

  it('two classes', async () => {
    const two = toySet(5, 1)
    const kept = two.labels.flatMap((label, i) => (label < 2 ? [i] : []))
    const { facts } = await learn(subsetRows(two, kept), best, toyClasses.slice(0, 2))
    expect(facts.accuracy).toBeGreaterThan(0.8)
  })

  it('refuses features that are no numbers, and a class without images', async () => {
    const broken = toySet(3, 1)
    broken.features.data[25] = Number.NaN
    await expect(learn(broken)).rejects.toThrow('not all finite')
    await expect(learn(subsetRows(toySet(3, 1), [0, 1, 3]))).rejects.toThrow('"house"')
  })

  it('stops when asked to', async () => {
    const stop = new AbortController()
    const work = learnFewShot(
      { clip, runtime, classNames: toyClasses, train: toySet(8, 1), method: best },
      { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) },
    )
    await expect(work).rejects.toThrow('enough')
  })
})
