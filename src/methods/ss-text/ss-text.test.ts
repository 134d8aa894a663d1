import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { floatTensor } from '../../graph/index.ts'
import { distance } from '../../testing/distance.ts'
import { engine as runtime } from '../../testing/engine.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { ssText } from './index.ts'
import { closedFormWeights, PENALTIES } from './weights.ts'

const numbers = z.array(z.number())
/** By PyTorch in float64, on random features of unequal classes and random text features. */
const figures = z
  .object({
    classes: z.int(),
    embed: z.int(),
    scale: z.number(),
    features: numbers,
    labels: numbers,
    text: numbers,
    cases: z.array(z.object({ penalty: z.enum(PENALTIES), repel: z.boolean(), weights: numbers })).length(4),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/ss-text.json', import.meta.url), 'utf8')))

const clip = await tinyClip()
const { embed, labels } = figures
const rows = (values: readonly number[]) => floatTensor([values.length / embed, embed], Float32Array.from(values))

it.each(figures.cases)('has the weights of PyTorch, penalty by $penalty, repel $repel', async (settings) => {
  const support = { x: rows(figures.features), labels }
  const weights = await closedFormWeights(support, rows(figures.text), figures.scale, settings)
  expect(distance(weights.data, settings.weights)).toBeLessThan(1e-5)
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
  const classifierOf = async (changes: object = {}) =>
    ssText.classifier(task(changes), {}, await ssText.learn(task(changes), {}, {}))

  it('tells the toy classes apart', async () => {
    const test = toySet(10, 1)
    const predicted = await (await classifierOf()).predict(floatTensor([30, 10], test.features.data))
    expect(test.labels.filter((label, i) => predicted[i] === label).length).toBeGreaterThan(27)
  })

  it('is zero-shot where features have no direction', async () => {
    const train = { features: floatTensor([3, 1, 10]), labels: [0, 1, 2] }
    const { classWeights } = await classifierOf({ train })
    expect(distance(classWeights?.data ?? [], (await zeroShotFeatures(task())).data)).toBeLessThan(1e-6)
  })

  it('refuses a class without images, by name, and features that are not numbers', async () => {
    const train = { features: floatTensor([2, 1, 10], new Float32Array(20).fill(1)), labels: [0, 1] }
    await expect(classifierOf({ train })).rejects.toThrow(/"house"/)
    const broken = toySet(3)
    broken.features.data[25] = Number.NaN
    await expect(classifierOf({ train: broken })).rejects.toThrow(/image 2 of 9 .*not finite/)
  })
})
