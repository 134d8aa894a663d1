import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { floatTensor } from '../../graph/index.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import type { Runtime } from '../../runtime/types.ts'
import { distance } from '../../testing/distance.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { lpPlusPlus } from './index.ts'
import { learnLp } from './learn.ts'
import { labelsTensor, lpStep } from './program.ts'
import { largestEigenvalue, lpStart } from './start.ts'

const numbers = z.array(z.number())
const tensors = z.object({ weight: numbers, bias: numbers, alpha: numbers })
/** By PyTorch in float64 and SciPy's eigh, on random features and text features. */
const figures = z
  .object({
    classes: z.int(),
    embed: z.int(),
    features: numbers,
    labels: numbers,
    val: numbers,
    valLabels: numbers,
    text: numbers,
    weight: numbers,
    weightRate: z.number(),
    alpha: z.number(),
    alphaRate: z.number(),
    step: z.object({ loss: z.number(), logits: numbers, gradients: tensors }),
    run: z.object({
      iterations: z.int(),
      losses: numbers,
      valAccuracies: numbers,
      kept: tensors.extend({ iteration: z.int(), accuracy: z.number() }),
      end: tensors,
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/lp-plus-plus.json', import.meta.url), 'utf8')))

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const { classes, embed, labels, run } = figures
const rows = (values: readonly number[]) => floatTensor([values.length / embed, embed], Float32Array.from(values))
const text = rows(figures.text)
const train = { x: normaliseRows(rows(figures.features)), labels }
const val = { x: normaliseRows(rows(figures.val)), labels: figures.valLabels }
const noVal = { x: floatTensor([0, embed]), labels: [] }

describe('against PyTorch', () => {
  it('where it starts and how far steps go', async () => {
    const start = await lpStart(runtime, train.x, labels, text)
    expect(distance(start.weight.data, figures.weight)).toBeLessThan(1e-6)
    for (const name of ['weightRate', 'alpha', 'alphaRate'] as const) {
      expect(start[name] / figures[name], name).toBeCloseTo(1, 5)
    }
  })

  it('a step', async () => {
    const { weight, alpha } = await lpStart(runtime, train.x, labels, text)
    const session = await runtime.load(lpStep(train.x, text, noVal.x))
    const feeds = {
      weight,
      bias: floatTensor([classes]),
      alpha: floatTensor([classes], new Float32Array(classes).fill(alpha)),
      labels: labelsTensor(labels),
    }
    const outputs = await session.run(feeds).finally(() => session.dispose())
    expect(distance(outputs.loss?.data ?? [], [figures.step.loss])).toBeLessThan(1e-5)
    expect(distance(outputs.logits?.data ?? [], figures.step.logits)).toBeLessThan(1e-5)
    for (const [name, gradient] of Object.entries(figures.step.gradients)) {
      expect(distance(outputs[`gradient.${name}`]?.data ?? [], gradient), name).toBeLessThan(1e-4)
    }
  })

  it('a run, with images to choose by and without: losses, what is kept, the end', async () => {
    const chosen = await learnLp(runtime, train, val, text, run.iterations)
    const end = await learnLp(runtime, train, noVal, text, run.iterations)
    for (const { steps } of [chosen, end]) {
      expect(
        distance(
          Float64Array.from(steps, ({ loss }) => loss),
          run.losses,
        ),
      ).toBeLessThan(1e-4)
    }
    expect(chosen.facts).toMatchObject({ iteration: run.kept.iteration, valAccuracy: run.kept.accuracy })
    for (const name of ['weight', 'bias', 'alpha'] as const) {
      expect(distance(chosen.tensors.get(name)?.data ?? [], run.kept[name]), name).toBeLessThan(1e-4)
      expect(distance(end.tensors.get(name)?.data ?? [], run.end[name]), name).toBeLessThan(1e-4)
    }
  })

  it('the iteration that is best, the last of several, at every length of the run', async () => {
    for (const iterations of [1, 2, 5, 12]) {
      const accuracies = run.valAccuracies.slice(0, iterations)
      const best = Math.max(...accuracies)
      const { facts } = await learnLp(runtime, train, val, text, iterations)
      expect(facts).toMatchObject({ iteration: accuracies.lastIndexOf(best) + 1, valAccuracy: best })
    }
  })
})

describe('the largest eigenvalue', () => {
  it('is that of matrices with known ones', async () => {
    const values = fc.array(fc.double({ min: 0.01, max: 10, noNaN: true }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(values, fc.double({ min: 0, max: 3, noNaN: true }), async (singular, angle) => {
        const d = singular.length
        const x = floatTensor([d, d])
        for (const [i, s] of singular.entries()) x.data[i * d + i] = s
        if (d > 1) rotate(x.data, d, angle)
        const largest = Math.max(...Array.from(singular, Math.fround)) ** 2
        expect(Math.abs((await largestEigenvalue(runtime, x)) / largest - 1)).toBeLessThan(3e-4)
      }),
      { examples: [[[1, 0.99975, 0.99975, 0.99975, 0.99975, 0.99975], 0]] },
    )
  })

  it('of nothing is 0', async () => {
    expect(await largestEigenvalue(runtime, floatTensor([3, 2]))).toBe(0)
  })
})

/** The first two columns turned in their plane, which leaves the singular values as they are. */
function rotate(data: Float32Array, d: number, angle: number): void {
  for (let i = 0; i < d; i++) {
    const [a = 0, b = 0] = data.subarray(i * d)
    data[i * d] = Math.cos(angle) * a - Math.sin(angle) * b
    data[i * d + 1] = Math.sin(angle) * a + Math.cos(angle) * b
  }
}

describe('as a method', () => {
  const task = async () => ({
    clip: await tinyClip(),
    runtime,
    classNames: toyClasses,
    templates: ['a photo of a {}.'],
    train: toySet(3),
    val: toySet(2, 1),
    shots: 3,
    seed: 1,
  })

  it('tells the toy classes apart', async () => {
    const learned = await lpPlusPlus.learn(await task(), { iterations: 60 }, {})
    const classifier = await lpPlusPlus.classifier(await task(), {}, learned)
    const test = toySet(10, 1)
    const { data } = await classifier.logits(floatTensor([30, 10], test.features.data))
    const right = test.labels.filter((label, i) => {
      const row = data.subarray(3 * i, 3 * i + 3)
      return row.indexOf(Math.max(...row)) === label
    })
    expect(right.length).toBeGreaterThan(27)
    await expect(classifier.logits(floatTensor([2, 7]))).rejects.toThrow(/\(n, 10\)/)
  })

  it('stops when told to', async () => {
    const controller = new AbortController()
    const onProgress = () => controller.abort(new Error('enough'))
    const learning = lpPlusPlus.learn(await task(), {}, { onProgress, signal: controller.signal })
    await expect(learning).rejects.toThrow('enough')
  })
})
