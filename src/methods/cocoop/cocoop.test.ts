import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomFor } from '../../base/random.ts'
import { type FloatTensor, floatTensor, intTensor, type Program, sizeOf } from '../../graph/index.ts'
import { featureFeeds, inOrder } from '../../learning/batches.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import { learningRateOf } from '../../learning/schedule.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import { POSITIONS, type Position, promptLayout } from '../../prompt/layout.ts'
import type { Runtime } from '../../runtime/types.ts'
import { distance } from '../../testing/distance.ts'
import {
  expectStep,
  figuresClip,
  figuresSet,
  hasGoldenModels,
  readFigures,
  tensorsOf,
} from '../../testing/method-figures.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { coopStep } from '../coop/program.ts'
import { cocoop } from './index.ts'
import { cocoopShapes, cocoopStep } from './program.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const clip = await tinyClip()

function randomTensor(shape: readonly number[], ...key: (number | string)[]): FloatTensor {
  const random = randomFor(...key)
  return floatTensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  )
}

async function run(p: Program, feeds: Parameters<Awaited<ReturnType<Runtime['load']>>['run']>[0]) {
  const session = await runtime.load(p)
  return session.run(feeds).finally(() => session.dispose())
}

describe('against PyTorch', () => {
  const tiny = readFigures(new URL('fixtures/tiny.json', import.meta.url))
  const golden = readFigures(new URL('fixtures/golden.json', import.meta.url))
  const layoutOf = (
    { tokenizer }: typeof clip,
    names: readonly string[],
    { M, position }: { M: number; position: Position },
  ) => promptLayout(tokenizer, names, { M, position, classSpecific: false })

  it.each(tiny.cases)('a step: $position, M $M, batch $batch', async (figures) => {
    const model = await figuresClip('tiny')
    await expectStep(runtime, cocoopStep(model, layoutOf(model, tiny.classNames, figures), figures.batch), figures)
  })

  it.skipIf(!hasGoldenModels).each(golden.cases)(
    'a step on golden/$model, $position (skipped without the folder)',
    async (figures) => {
      const model = await figuresClip(figures.model)
      await expectStep(runtime, cocoopStep(model, layoutOf(model, golden.classNames, figures), figures.batch), figures)
    },
  )

  it.each(tiny.runs)('a short training: losses and all tensors at the end', async (figures) => {
    const model = await figuresClip('tiny')
    const layout = layoutOf(model, tiny.classNames, figures)
    const { steps, tensors } = await learnByGradients({
      ...figures,
      runtime,
      program: (batch) => cocoopStep(model, layout, batch),
      start: tensorsOf(figures.tensors),
      feeds: featureFeeds(figuresSet(figures)),
      order: inOrder,
      optimiser: sgd(),
      learningRate: (epoch) => learningRateOf(figures, epoch),
    })
    expect(steps).toHaveLength(figures.losses.length)
    for (const [i, loss] of figures.losses.entries()) expect(Math.abs((steps[i]?.loss ?? 0) - loss)).toBeLessThan(1e-4)
    for (const [name, { data }] of Object.entries(figures.end)) {
      expect(distance(tensors.get(name)?.data ?? [], data), name).toBeLessThan(1e-4)
    }
  })
})

describe('a meta-net of zeros', () => {
  it('leaves CoOp: same loss, logits and gradient of the context', async () => {
    const shapes = fc.record({
      classNames: fc.subarray(['dog', 'cat', 'house', 'toilet_paper', 'small dogs'], { minLength: 2 }),
      M: fc.integer({ min: 1, max: 4 }),
      position: fc.constantFrom(...POSITIONS),
      batch: fc.integer({ min: 1, max: 4 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    })
    await fc.assert(
      fc.asyncProperty(shapes, async ({ classNames, M, position, batch, seed }) => {
        const layout = promptLayout(clip.tokenizer, classNames, { M, position, classSpecific: false })
        const zeros = Object.entries(cocoopShapes(clip, layout)).map(([name, shape]) => [name, floatTensor(shape)])
        const feeds = {
          ctx: randomTensor([M, clip.config.text.width], 'ctx', seed),
          features: randomTensor([batch, clip.config.embedDim], 'features', seed),
          labels: intTensor(
            [batch],
            Array.from({ length: batch }, (_, i) => i % classNames.length),
          ),
        }
        const expected = await run(coopStep(clip, layout, batch), feeds)
        const found = await run(cocoopStep(clip, layout, batch), { ...Object.fromEntries(zeros), ...feeds })
        expect(distance(found.loss?.data ?? [], expected.loss?.data ?? [0])).toBeLessThan(1e-5)
        expect(distance(found.logits?.data ?? [], expected.logits?.data ?? [0])).toBeLessThan(1e-5)
        expect(distance(found['gradient.ctx']?.data ?? [], expected['gradient.ctx']?.data ?? [0])).toBeLessThan(1e-4)
      }),
      { numRuns: 8, seed: 1 },
    )
  })
})

describe('the method', () => {
  const task = () => ({
    clip,
    runtime,
    classNames: toyClasses,
    templates: ['a photo of a {}.'],
    train: toySet(4),
    val: toySet(1),
    shots: 4,
    seed: 1,
  })
  const settings = { init: null, M: 3, epochs: 60, learningRate: 0.02 }
  const images = () => {
    const { features, labels } = toySet(8, 1)
    return { features: floatTensor([labels.length, clip.config.embedDim], features.data), labels }
  }

  it('learns to tell toy classes apart, and its classifier takes other names, too', async () => {
    const learned = await cocoop.learn(task(), settings, {})
    expect(learned.steps).toHaveLength(60 * 12)
    const classifier = await cocoop.classifier(task(), settings, learned)
    const { features, labels } = images()
    const { data } = await classifier.logits(features)
    const right = labels.filter((label, i) => Math.max(...data.subarray(3 * i, 3 * i + 3)) === data[3 * i + label])
    expect(right.length / labels.length).toBeGreaterThan(0.8)
    await classifier.dispose()

    const others = await cocoop.classifier({ ...task(), classNames: ['toilet', 'drawing'] }, settings, learned)
    const { shape } = await others.logits(features)
    expect(shape).toEqual([24, 2])
    await others.dispose()
  })

  it('gives an image the same logits in whatever company', async () => {
    const learned = await cocoop.learn(task(), { ...settings, epochs: 1 }, {})
    const classifier = await cocoop.classifier(task(), settings, learned)
    const n = 700 // more than run at once
    const features = randomTensor([n, clip.config.embedDim], 'images')
    const events: number[] = []
    const all = await classifier.logits(features, { onProgress: ({ done, total }) => events.push(done / total) })
    expect(events.length).toBeGreaterThan(1)
    expect(events.at(-1)).toBe(1)
    const alone = await Promise.all(
      [0, 350, n - 1].map((i) =>
        classifier
          .logits(floatTensor([1, 10], features.data.slice(10 * i, 10 * (i + 1))))
          .then(({ data }) => ({ i, data })),
      ),
    )
    for (const { i, data } of alone) expect(distance(data, all.data.subarray(3 * i, 3 * i + 3))).toBeLessThan(1e-5)
    expect((await classifier.logits(floatTensor([0, 10]))).shape).toEqual([0, 3])
    await expect(classifier.logits(floatTensor([1, 9]))).rejects.toThrow(/\(n, 10\)/)
    await classifier.dispose()
  })

  it('refuses unknown settings, too few words, and what another model learned', async () => {
    expect(() => cocoop.settings.parse({ epoch: 3 })).toThrow(/epoch/)
    expect(() => cocoop.check?.(task(), { init: '  ' })).toThrow(/no words/)
    const learned = await cocoop.learn(task(), { ...settings, epochs: 1 }, {})
    const tensors = new Map(learned.tensors)
    tensors.delete('meta_net.linear2.bias')
    await expect(cocoop.classifier(task(), settings, { ...learned, tensors })).rejects.toThrow(/meta_net.linear2.bias/)
    const other = await figuresClip('tiny')
    await expect(cocoop.classifier({ ...task(), clip: other }, settings, learned)).rejects.toThrow(
      /the learned meta_net.linear1.weight has shape \(1, 10\).*this model need \(2, 40\)/,
    )
  })
})
