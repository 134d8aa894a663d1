import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { floatTensor, intTensor } from '../../graph/index.ts'
import { inOrder } from '../../learning/batches.ts'
import { distance } from '../../testing/distance.ts'
import { engine as runtime } from '../../testing/engine.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { clap } from './index.ts'
import { learnClap } from './learn.ts'
import { multipliersOf } from './multipliers.ts'
import { clapStep } from './program.ts'

const numbers = z.array(z.number())
/** By PyTorch in float64, on random features of unequal classes and random text features of any length. */
const figures = z
  .object({
    classes: z.int(),
    embed: z.int(),
    features: numbers,
    labels: numbers,
    text: numbers,
    multipliers: numbers,
    step: z.object({ batch: z.int(), weights: numbers, loss: z.number(), logits: numbers, gradient: numbers }),
    run: z.object({
      epochs: z.int(),
      batchSize: z.int(),
      learningRate: z.number(),
      losses: numbers,
      rates: numbers,
      weights: numbers,
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/clap.json', import.meta.url), 'utf8')))

const clip = await tinyClip() // its logit scale is the figures'
const { embed, labels, step, run } = figures
const rows = (values: readonly number[]) => floatTensor([values.length / embed, embed], Float32Array.from(values))
const text = rows(figures.text)
const train = { features: floatTensor([labels.length, 1, embed], Float32Array.from(figures.features)), labels }

describe('against PyTorch', () => {
  it('multipliers', async () => {
    const found = await multipliersOf({ clip, runtime }, text, train)
    expect(distance(found.data, figures.multipliers)).toBeLessThan(1e-5)
  })

  it('a step', async () => {
    const multipliers = await multipliersOf({ clip, runtime }, text, train)
    const session = await runtime.load(clapStep(clip, text, multipliers, step.batch))
    const feeds = {
      weights: rows(step.weights),
      features: rows(figures.features.slice(0, step.batch * embed)),
      labels: intTensor([step.batch], labels.slice(0, step.batch)),
    }
    const outputs = await session.run(feeds).finally(() => session.dispose())
    expect(distance(outputs.loss?.data ?? [], [step.loss])).toBeLessThan(1e-5)
    expect(distance(outputs.logits?.data ?? [], step.logits)).toBeLessThan(1e-5)
    expect(distance(outputs['gradient.weights']?.data ?? [], step.gradient)).toBeLessThan(1e-5)
  })

  it('a short training: losses, rates and weights', async () => {
    const { steps, tensors } = await learnClap({ clip, runtime, train }, text, run, inOrder, {})
    const told = (of: 'loss' | 'learningRate') => Float64Array.from(steps, (step) => step[of])
    expect(distance(told('loss'), run.losses)).toBeLessThan(1e-5)
    expect(distance(told('learningRate'), run.rates)).toBeLessThan(1e-9)
    expect(distance(tensors.get('weights')?.data ?? [], run.weights)).toBeLessThan(1e-5)
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
  const learn = (changes: object = {}) => clap.learn(task(changes), {}, {})

  it('tells the toy classes apart', async () => {
    const test = toySet(10, 1)
    const classifier = await clap.classifier(task(), {}, await learn())
    const predicted = await classifier.predict(floatTensor([30, 10], test.features.data))
    expect(test.labels.filter((label, i) => predicted[i] === label).length).toBeGreaterThan(27)
  })

  it('refuses a class without images, by name, and features that are not numbers', async () => {
    const train = { features: floatTensor([2, 1, 10], new Float32Array(20).fill(1)), labels: [0, 1] }
    await expect(learn({ train })).rejects.toThrow(/"house"/)
    const broken = toySet(3)
    broken.features.data[25] = Number.NaN
    await expect(learn({ train: broken })).rejects.toThrow(/image 2 of 9 .*not finite/)
  })
})
