import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { floatTensor, intTensor } from '../../graph/index.ts'
import { featureFeeds, inOrder } from '../../learning/batches.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import { learningRateOf } from '../../learning/schedule.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { POSITIONS, promptLayout } from '../../prompt/layout.ts'
import { contextShape } from '../../prompt/prompted-tower.ts'
import { distance } from '../../testing/distance.ts'
import { engine, randomTensor } from '../../testing/engine.ts'
import {
  expectStep,
  type Figures,
  figuresClip,
  figuresSet,
  readFigures,
  tensorsOf,
} from '../../testing/method-figures.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { contextOf } from '../context.ts'
import { coop } from '../coop/index.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { leadingWords, prograd } from './index.ts'
import { progradStep } from './program.ts'

const clip = await tinyClip()

describe('against PyTorch', () => {
  // the official projection on gradients by autograd, prompts padded to the context length
  const figures = readFigures(new URL('fixtures/tiny.json', import.meta.url))

  type Prompts = 'M' | 'position' | 'classSpecific' | 'templates' | 'weight' | 'temperature'
  async function stepFor(given: Pick<Figures['runs'][number], Prompts>) {
    const { M, position, classSpecific, templates, ...alignment } = given
    const model = await figuresClip('tiny')
    const layout = promptLayout(model.tokenizer, figures.classNames, { M, position, classSpecific })
    const handWritten = await zeroShotFeatures({
      clip: model,
      runtime: engine,
      classNames: figures.classNames,
      templates,
    })
    return (batch: number) => progradStep(model, layout, handWritten, alignment, batch)
  }

  it.each(figures.cases)(
    'a step, both losses and gradients: $position, class-specific $classSpecific, weight $weight, temperature $temperature',
    async (figures) => {
      const step = await stepFor(figures)
      await expectStep(engine, step(figures.batch), figures)
    },
  )

  it.each(figures.runs)('a short training, $position: losses and the context at the end', async (figures) => {
    const { steps, tensors } = await learnByGradients({
      ...figures,
      runtime: engine,
      program: await stepFor(figures),
      start: tensorsOf(figures.tensors),
      feeds: featureFeeds(figuresSet(figures)),
      order: inOrder,
      optimiser: sgd(),
      learningRate: (epoch) => learningRateOf(figures, epoch),
    })
    const losses = steps.map(({ loss }) => loss)
    expect(losses).toHaveLength(figures.losses.length)
    expect(distance(losses, figures.losses)).toBeLessThan(1e-5)
    expect(distance(tensors.get('ctx')?.data ?? [], figures.end.ctx?.data ?? [])).toBeLessThan(1e-4)
  })
})

describe('a step', () => {
  const n = 5
  const anything = fc.record({
    M: fc.integer({ min: 1, max: 4 }),
    position: fc.constantFrom(...POSITIONS),
    classSpecific: fc.boolean(),
    temperature: fc.constantFrom(0.5, 1, 4),
    weight: fc.constantFrom(0, 0.5, 1),
    seed: fc.integer({ min: 1, max: 999 }),
  })

  it('goes along the gradient of CoOp, but with weight 1 never against the general direction', async () => {
    let projected = 0
    await fc.assert(
      fc.asyncProperty(anything, async ({ temperature, weight, seed, ...shape }) => {
        const layout = promptLayout(clip.tokenizer, toyClasses, shape)
        const handWritten = normaliseRows(randomTensor([3, 10], seed))
        const inputs = {
          ctx: randomTensor(contextShape(clip, layout), seed + 1, (u) => 0.5 * u),
          features: randomTensor([n, 10], seed + 2),
          labels: intTensor([n], [0, 1, 2, 0, 1]),
        }
        const run = async (weight: number) => {
          const session = await engine.load(progradStep(clip, layout, handWritten, { weight, temperature }, n))
          const outputs = await session.run(inputs)
          await session.dispose()
          return outputs
        }
        const [ofCoop, along, given] = [await run(0), await run(1), await run(weight)]
        const [g, G, a] = [ofCoop['gradient.ctx'].data, along['general.ctx'].data, along['gradient.ctx'].data]
        const size = Math.hypot(...g) * Math.hypot(...G)
        expect(dot(a, G)).toBeGreaterThan(-1e-5 * size)
        if (dot(g, G) >= 0) expect(a).toEqual(g)
        else expect(Math.abs(dot(a, G))).toBeLessThan(1e-5 * size)
        projected += dot(g, G) < 0 ? 1 : 0
        // a weight between takes away its share
        const share = Float64Array.from(g, (x, i) => x + weight * ((a[i] ?? 0) - x))
        expect(distance(given['gradient.ctx'].data, share)).toBeLessThan(1e-5)
      }),
      { numRuns: 12, seed: 1 },
    )
    expect(projected).toBeGreaterThan(2)
  })
})

describe('the method', () => {
  const task = (seed = 1) => ({
    clip,
    runtime: engine,
    classNames: toyClasses,
    templates: ['a photo of a {}.'],
    train: toySet(4),
    val: toySet(1),
    shots: 4,
    seed,
  })
  const short = { M: 3, init: null, epochs: 20, batchSize: 4, learningRate: 0.05 }

  it.each([{}, { classSpecific: true, position: 'middle' }])('with weight 0 is CoOp: %o', async (shape) => {
    const expected = await coop.learn(task(), { ...short, ...shape }, {})
    const found = await prograd.learn(task(), { ...short, ...shape, weight: 0 }, {})
    expect(distance(found.tensors.get('ctx')?.data ?? [], expected.tensors.get('ctx')?.data ?? [])).toBeLessThan(1e-5)
    const columns = ({ steps }: typeof found) =>
      steps.flatMap(({ loss, learningRate, gradientNorm }) => [loss, learningRate, gradientNorm])
    expect(distance(columns(found), columns(expected))).toBeLessThan(1e-4)
  })

  it('stays nearer to what the hand-written prompts say than CoOp does', async () => {
    const { features, labels } = toySet(4)
    const images = floatTensor([2 * labels.length, 10], features.data)
    const handWritten = await prograd.classifier(task(), {}, await prograd.learn(task(), { epochs: 1, M: 1 }, {}))
    const targets = (await handWritten.logits(images)).data
    const far = async (weight: number) => {
      const settings = { ...short, init: 'a photo of a', weight, epochs: 60 }
      const classifier = await prograd.classifier(task(), settings, await prograd.learn(task(), settings, {}))
      return distance((await classifier.logits(images)).data, targets)
    }
    expect(await far(1)).toBeLessThan(await far(0))
  })

  it('starts from the words of the prompt, zeros before them', async () => {
    const words = contextOf(task(), { ...short, position: 'end', classSpecific: false, init: 'a photo of a' }).ctx
    const [T = 0, width = 0] = words.shape
    const learnedOf = async (settings: object) => {
      const learned = await prograd.learn(task(), { epochs: 1, learningRate: 1e-12, ...settings }, {})
      return learned.tensors.get('ctx') ?? floatTensor([0])
    }
    // the only epoch is the warm-up's, at 1e-5
    const start = await learnedOf({})
    expect(start.shape).toEqual([16, width])
    expect(distance(start.data.subarray(-T * width), words.data)).toBeLessThan(1e-3)
    expect(Math.max(...start.data.subarray(0, -T * width).map(Math.abs))).toBeLessThan(1e-3)
    expect((await learnedOf({ M: 1 })).shape).toEqual([T, width])
    const each = await learnedOf({ classSpecific: true, M: T + 1 })
    expect(each.shape).toEqual([3, T + 1, width])
    expect(distance(each.data.subarray(-T * width), words.data)).toBeLessThan(1e-3)
    expect((await learnedOf({ init: null, M: 2 })).shape).toEqual([2, width])
  })

  it('takes the words before the name of the first prompt', () => {
    const words = [['a centered satellite photo of {}.'], ['the small {}', 'a {}'], ['{} texture.'], ['imagenet7']]
    expect(words.map(leadingWords)).toEqual(['a centered satellite photo of', 'the small', 'a photo of a', 'itap of a'])
  })

  it('learns as long as CoOp, and its classifier takes other names unless each class has its own context', async () => {
    const epochs = async (changes: object) =>
      (await prograd.learn({ ...task(), ...changes }, { M: 4 }, {})).facts.epochs
    expect([await epochs({ shots: 1 }), await epochs({ epochs: 3 })]).toEqual([50, 3])
    const learned = await prograd.learn(task(), short, {})
    const others = await prograd.classifier({ ...task(), classNames: ['toilet', 'drawing'] }, short, learned)
    expect((await others.logits(floatTensor([24, 10], toySet(8, 1).features.data))).shape).toEqual([24, 2])
    expect([true, false].map((classSpecific) => prograd.transfers({ classSpecific }))).toEqual([false, true])
  })

  it('refuses what means nothing', () => {
    expect(() => prograd.settings.parse({ temperature: 0 })).toThrow(/temperature/)
    expect(() => prograd.settings.parse({ weight: -1 })).toThrow(/weight/)
    expect(() => prograd.check?.({ ...task(), classNames: ['dog', 'Dog'] }, {})).toThrow(/duplicate/)
    expect(() => prograd.check?.(task(), { M: 30 })).toThrow(/too long|24/)
  })
})

it('is titled by what differs from the usual', () => {
  expect(prograd.title({})).toBe('ProGrad')
  expect(prograd.title({ weight: 0.8, temperature: 2, position: 'middle', classSpecific: true, M: 4 })).toBe(
    'ProGrad, weight 0.8, temperature 2, middle, class-specific, M=4',
  )
  expect([null, 'a'].map((init) => prograd.title({ init }))).toEqual(['ProGrad, random start', 'ProGrad, from "a"'])
})

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, x, i) => sum + x * (b[i] ?? Number.NaN), 0)
}
