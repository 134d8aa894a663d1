import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { floatTensor, intTensor } from '../../graph/index.ts'
import { inOrder } from '../../learning/batches.ts'
import { graphClassifier } from '../../learning/classifier.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import type { Runtime } from '../../runtime/types.ts'
import { distance } from '../../testing/distance.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { learnByRecipe } from '../paper-recipe.ts'
import { adapterLogits, adapterStep, DOWN, randomAdapter, UP } from './adapter.ts'
import { clipAdapter } from './index.ts'

const numbers = z.array(z.number())
/** By PyTorch in float64, on random features, text features and weights. */
const figures = z
  .object({
    classes: z.int(),
    embed: z.int(),
    hidden: z.int(),
    ratio: z.number(),
    features: numbers,
    labels: numbers,
    val: numbers,
    text: numbers,
    down: numbers,
    up: numbers,
    valLogits: numbers,
    step: z.object({ loss: z.number(), logits: numbers, gradients: z.object({ [DOWN]: numbers, [UP]: numbers }) }),
    run: z.object({
      epochs: z.int(),
      batchSize: z.int(),
      learningRate: z.number(),
      losses: numbers,
      down: numbers,
      up: numbers,
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/clip-adapter.json', import.meta.url), 'utf8')))

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const clip = await tinyClip() // its logit scale is the figures'

const { classes, embed, hidden, ratio, labels } = figures
const matrix = (values: readonly number[], columns: number) =>
  floatTensor([values.length / columns, columns], Float32Array.from(values))
const features = matrix(figures.features, embed)
const text = matrix(figures.text, embed)
const [down, up] = [matrix(figures.down, embed), matrix(figures.up, hidden)]

describe('against PyTorch', () => {
  it('logits', async () => {
    const classNames = Array.from({ length: classes }, (_, c) => `${c}`)
    const classifier = graphClassifier({ clip, runtime, classNames }, (x) => {
      const { graph } = x
      const values = { down: graph.constant(down), up: graph.constant(up), text: graph.constant(text) }
      return adapterLogits(clip, x, values, ratio)
    })
    const found = await classifier.logits(matrix(figures.val, embed))
    expect(distance(found.data, figures.valLogits)).toBeLessThan(1e-5)
  })

  it('a step', async () => {
    const { step } = figures
    const batch = step.logits.length / classes
    const session = await runtime.load(adapterStep(clip, text, hidden, ratio, batch))
    const outputs = await session.run({
      [DOWN]: down,
      [UP]: up,
      features: floatTensor([batch, embed], features.data.slice(0, batch * embed)),
      labels: intTensor([batch], labels.slice(0, batch)),
    })
    await session.dispose()
    expect(distance(outputs.loss?.data ?? [], [step.loss])).toBeLessThan(1e-5)
    expect(distance(outputs.logits?.data ?? [], step.logits)).toBeLessThan(1e-5)
    for (const name of [DOWN, UP] as const) {
      expect(distance(outputs[`gradient.${name}`]?.data ?? [], step.gradients[name]), name).toBeLessThan(1e-4)
    }
  })

  it('a short training: losses and weights', async () => {
    const { run } = figures
    const train = { features: floatTensor([labels.length, 1, embed], features.data), labels }
    const start = new Map([
      [DOWN, down],
      [UP, up],
    ])
    const program = (batch: number) => adapterStep(clip, text, hidden, ratio, batch)
    const learned = await learnByRecipe({ runtime, train, seed: 1 }, run, { program, start, order: inOrder }, {})
    expect(
      distance(
        Float64Array.from(learned.steps, ({ loss }) => loss),
        run.losses,
      ),
    ).toBeLessThan(1e-5)
    expect(distance(learned.tensors.get(DOWN)?.data ?? [], run.down)).toBeLessThan(1e-4)
    expect(distance(learned.tensors.get(UP)?.data ?? [], run.up)).toBeLessThan(1e-4)
  })
})

describe('as a method', () => {
  const task = () => ({
    clip,
    runtime,
    classNames: toyClasses,
    templates: ['a photo of a {}.'],
    train: toySet(4, 1),
    val: toySet(2, 1),
    shots: 4,
    seed: 1,
  })

  it('learns: the loss falls, the same seed gives the same, another another', async () => {
    const settings = { ratio: 0.8, reduction: 1, learningRate: 0.05, batchSize: 4 }
    const { steps, facts, tensors } = await clipAdapter.learn(task(), settings, {})
    expect(facts).toEqual({ epochs: 100 })
    expect(steps).toHaveLength(300)
    const first = steps.slice(0, 3).reduce((sum, { loss }) => sum + loss / 3, 0)
    expect(steps.at(-1)?.loss).toBeLessThan(0.97 * first)
    expect((await clipAdapter.learn(task(), settings, {})).tensors).toEqual(tensors)
    expect((await clipAdapter.learn({ ...task(), seed: 2 }, settings, {})).tensors).not.toEqual(tensors)
  })

  it('starts as PyTorch starts linear layers', () => {
    const layers = [...randomAdapter(64, 16, 1).values()]
    expect(layers.map(({ shape }) => shape)).toEqual([
      [16, 64],
      [64, 16],
    ])
    for (const [i, { data }] of layers.entries()) {
      const bound = [1 / 8, 1 / 4][i] ?? 0
      const sizes = Array.from(data, Math.abs)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(bound)
      expect(sizes.reduce((a, b) => a + b) / sizes.length / bound).toBeCloseTo(0.5, 1)
    }
  })

  it('gives a classifier for its own classes and for others, and refuses another bottleneck', async () => {
    const learned = await clipAdapter.learn(task(), { epochs: 1 }, {})
    const features = toySet(2, 1).features
    const rows = floatTensor([6, 10], features.data)
    const own = await clipAdapter.classifier(task(), {}, learned)
    expect((await own.logits(rows)).shape).toEqual([6, 3])
    const others = { ...task(), classNames: ['photo', 'paper'] }
    expect((await (await clipAdapter.classifier(others, {}, learned)).logits(rows)).shape).toEqual([6, 2])
    await expect(clipAdapter.classifier(task(), { reduction: 2 }, learned)).rejects.toThrow(/fc\.0\.weight/)
  })
})
