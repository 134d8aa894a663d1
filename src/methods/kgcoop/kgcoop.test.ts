import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Clip } from '../../clip/types.ts'
import { floatTensor } from '../../graph/index.ts'
import { featureFeeds, inOrder } from '../../learning/batches.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import { learningRateOf } from '../../learning/schedule.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import { POSITIONS, promptLayout } from '../../prompt/layout.ts'
import type { Runtime } from '../../runtime/types.ts'
import { distance } from '../../testing/distance.ts'
import {
  expectStep,
  type Figures,
  figuresClip,
  figuresSet,
  hasGoldenModels,
  readFigures,
  tensorsOf,
} from '../../testing/method-figures.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { coop } from '../coop/index.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { kgcoop } from './index.ts'
import { kgcoopStep } from './program.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const clip = await tinyClip()

describe('against PyTorch', () => {
  const tiny = readFigures(new URL('fixtures/tiny.json', import.meta.url))
  const golden = readFigures(new URL('fixtures/golden.json', import.meta.url))

  type Prompts = Pick<Figures['cases'][number], 'M' | 'position' | 'templates' | 'weight'>
  async function stepFor(model: Clip, names: readonly string[], { M, position, templates, weight }: Prompts) {
    const layout = promptLayout(model.tokenizer, names, { M, position, classSpecific: false })
    const handWritten = await zeroShotFeatures({ clip: model, runtime, classNames: names, templates })
    return (batch: number) => kgcoopStep(model, layout, handWritten, weight, batch)
  }

  it.each(tiny.cases)('a step: $position, weight $weight, prompts $templates', async (figures) => {
    const step = await stepFor(await figuresClip('tiny'), tiny.classNames, figures)
    await expectStep(runtime, step(figures.batch), figures)
  })

  it.skipIf(!hasGoldenModels).each(golden.cases)(
    'a step on golden/$model, $position (skipped without the folder)',
    async (figures) => {
      const step = await stepFor(await figuresClip(figures.model), golden.classNames, figures)
      await expectStep(runtime, step(figures.batch), figures)
    },
  )

  it.each(tiny.runs)('a short training: losses and the context at the end', async (figures) => {
    const { steps, tensors } = await learnByGradients({
      ...figures,
      runtime,
      program: await stepFor(await figuresClip('tiny'), tiny.classNames, figures),
      start: tensorsOf(figures.tensors),
      feeds: featureFeeds(figuresSet(figures)),
      order: inOrder,
      optimiser: sgd(),
      learningRate: (epoch) => learningRateOf(figures, epoch),
    })
    expect(steps).toHaveLength(figures.losses.length)
    for (const [i, loss] of figures.losses.entries()) expect(Math.abs((steps[i]?.loss ?? 0) - loss)).toBeLessThan(1e-4)
    expect(distance(tensors.get('ctx')?.data ?? [], figures.end.ctx?.data ?? [])).toBeLessThan(1e-4)
  })
})

describe('the method', () => {
  const task = (seed = 1) => ({
    clip,
    runtime,
    classNames: toyClasses,
    templates: ['a photo of a {}.'],
    train: toySet(4),
    val: toySet(1),
    shots: 4,
    seed,
  })

  it('with weight 0 is CoOp', async () => {
    const settings = fc.record({
      M: fc.integer({ min: 1, max: 4 }),
      position: fc.constantFrom(...POSITIONS),
      init: fc.constantFrom(null, 'a photo'),
      batchSize: fc.constantFrom(3, 5, 128),
      epochs: fc.integer({ min: 1, max: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(settings, fc.integer({ min: 1, max: 99 }), async (settings, seed) => {
        const expected = await coop.learn(task(seed), settings, {})
        const found = await kgcoop.learn(task(seed), { ...settings, weight: 0 }, {})
        const ctx = ({ tensors }: typeof found) => tensors.get('ctx')?.data ?? new Float32Array()
        expect(distance(ctx(found), ctx(expected))).toBeLessThan(1e-5)
        const columns = ({ steps }: typeof found) => steps.flatMap(({ loss, learningRate }) => [loss, learningRate])
        expect(distance(columns(found), columns(expected))).toBeLessThan(1e-5)
        const norms = ({ steps }: typeof found) => steps.map(({ gradientNorm }) => gradientNorm)
        expect(distance(norms(found), norms(expected))).toBeLessThan(1e-5)
      }),
      { numRuns: 5, seed: 1 },
    )
  })

  it('comes the closer to the hand-written prompts, the greater the weight', async () => {
    const handWritten = await zeroShotFeatures({ ...task(), templates: ['the small {}'] })
    const { features, labels } = toySet(4)
    const images = floatTensor([2 * labels.length, clip.config.embedDim], features.data)
    const scores = floatTensor([3, clip.config.embedDim], handWritten.data)
    const closeness: number[] = []
    for (const weight of [0, 1, 20]) {
      const settings = { weight, M: 3, init: null, templates: ['the small {}'], epochs: 20, learningRate: 0.02 }
      const learned = await kgcoop.learn(task(), settings, {})
      const classifier = await kgcoop.classifier(task(), settings, learned)
      expect((await classifier.logits(images)).shape).toEqual([2 * labels.length, 3])
      // the hand-written features as images: how near each is to the learned prompt of its class
      const { data } = await classifier.logits(scores)
      closeness.push((data[0] ?? 0) + (data[4] ?? 0) + (data[8] ?? 0))
    }
    expect(closeness).toEqual([...closeness].sort((a, b) => a - b))
    expect(closeness[2]).toBeGreaterThan((closeness[0] ?? 0) + 0.1)
  })

  it('learns to tell toy classes apart, and its classifier takes other names, too', async () => {
    const settings = { weight: 0.1, M: 3, init: null, epochs: 60, batchSize: 4, learningRate: 0.05 }
    const learned = await kgcoop.learn(task(), settings, {})
    const { features, labels } = toySet(8, 1)
    const images = floatTensor([labels.length, clip.config.embedDim], features.data)
    const { data } = await (await kgcoop.classifier(task(), settings, learned)).logits(images)
    const right = labels.filter((label, i) => Math.max(...data.subarray(3 * i, 3 * i + 3)) === data[3 * i + label])
    expect(right.length / labels.length).toBeGreaterThan(0.8)
    const others = await kgcoop.classifier({ ...task(), classNames: ['toilet', 'drawing'] }, settings, learned)
    expect((await others.logits(images)).shape).toEqual([24, 2])
  })

  it('refuses unknown settings and a prompt without a place for the name', () => {
    expect(() => kgcoop.settings.parse({ lambda: 3 })).toThrow(/lambda/)
    expect(() => kgcoop.settings.parse({ weight: -1 })).toThrow(/weight/)
    expect(() => kgcoop.settings.parse({ templates: ['a photo'] })).toThrow(/class name/)
    expect(() => kgcoop.check?.({ ...task(), classNames: ['dog', 'Dog'] }, {})).toThrow(/duplicate/)
  })
})

it('is titled by what differs from the usual', () => {
  expect(kgcoop.title({})).toBe('KgCoOp')
  expect(kgcoop.title({ weight: 1, position: 'middle', init: null, M: 8 })).toBe('KgCoOp, weight 1, middle, M=8')
  expect(kgcoop.title({ init: 'a picture of' })).toBe('KgCoOp, from "a picture of"')
})
