import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CoopError, DivergedError, ShapeError, UsageError } from '../base/errors.ts'
import { randomFor } from '../base/random.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { batchesOf, feedsOf, inOrder, shuffled, stepsOf } from '../learning/batches.ts'
import { accuracyOf } from '../learning/classifier.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { toySet, toyTask } from '../testing/toy-task.ts'
import { promptClassifier } from './prompt-classifier.ts'
import { type LearningSettings, startOf, type TrainingState, type TrainingTask, trainPrompt } from './train.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const task = (changes: Partial<LearningSettings> = {}) => toyTask(runtime, changes)

const gone = () => {
  throw new Error('picture 3 is gone')
}

/** Accuracy of a state's prompt on the images it learned from. */
async function accuracy({ ctx }: TrainingState, { clip, classNames, set, settings }: TrainingTask): Promise<number> {
  const prompt = { ...settings, ctx, classNames, model: clip.fingerprint }
  const classifier = await promptClassifier(clip, runtime, prompt)
  const [images = 0, views = 1, embed = 0] = set.features.shape
  const all = floatTensor([images * views, embed], set.features.data)
  const labels = set.labels.flatMap((label) => new Array<number>(views).fill(label))
  return accuracyOf(classifier, classifier.predict(all), labels).accuracy
}

describe('trainPrompt', () => {
  it.each([
    { classSpecific: false, position: 'end' },
    { classSpecific: false, position: 'middle' },
    { classSpecific: true, position: 'front' },
  ] as const)('learns what can be told apart: %o', async (shape) => {
    const toy = task({ ...shape, epochs: 60 })
    const end = await trainPrompt(toy)
    const mean = (losses: readonly number[]) => losses.reduce((a, b) => a + b, 0) / losses.length
    expect(mean(end.losses.slice(-10))).toBeLessThan(0.75 * mean(end.losses.slice(0, 3)))
    expect(await accuracy(startOf(toy), toy)).toBeLessThan(0.8)
    expect(await accuracy(end, toy)).toBeGreaterThan(0.95)
  })

  it('goes on from any epoch to the same bits', async () => {
    const states: TrainingState[] = []
    const whole = await trainPrompt(task(), { onEpoch: (state) => states.push(state) })
    expect(states.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    for (const from of [states[0], states[6], states[11]]) {
      const { ctx, losses, momentum } = await trainPrompt(task(), from ? { from } : {})
      expect(losses).toEqual(whole.losses)
      expect(ctx.data).toEqual(whole.ctx.data)
      expect(momentum.data).toEqual(whole.momentum.data)
    }
  })

  it('is decided by its seed: the start and the order of images', async () => {
    const run = async (seed: number, from?: TrainingState) =>
      (await trainPrompt(task({ seed, epochs: 2 }), from ? { from } : {})).losses
    const one = await run(1)
    const start = startOf(task({ seed: 1 }))
    expect(await run(1, start)).toEqual(one)
    expect(await run(2, start)).not.toEqual(one) // another order
    expect(startOf(task({ seed: 0 })).ctx.data).not.toEqual(start.ctx.data)
  })

  it('starts from words where it is told to', () => {
    const { clip } = task()
    const { ctx } = startOf(task({ init: 'a photo', M: 2 }))
    const table = clip.weights.get('token_embedding.weight')?.data ?? new Float32Array()
    const { width } = clip.config.text
    const [first = 0] = clip.tokenizer.encode('a')
    expect(ctx.data.slice(0, width)).toEqual(table.slice(first * width, (first + 1) * width))
    const each = startOf(task({ init: 'a photo', M: 2, classSpecific: true })).ctx
    expect(each.shape).toEqual([3, 2, width])
    expect(each.data).toEqual(Float32Array.from([...ctx.data, ...ctx.data, ...ctx.data]))
  })

  it('keeps the length of the gradient of each step, and has it again when it goes on', async () => {
    const states: TrainingState[] = []
    const { gradientNorms, losses } = await trainPrompt(task(), { onEpoch: (state) => states.push(state) })
    expect(gradientNorms).toHaveLength(losses.length)
    const [first, from] = states
    // the first step is plain descent: momentum is then the gradient with the decay of the start
    const start = startOf(task()).ctx.data
    const one = await trainPrompt(task({ epochs: 1, batchSize: 12 }))
    const gradient = one.momentum.data.map((m, i) => m - 5e-4 * (start[i] ?? 0))
    expect(one.gradientNorms).toHaveLength(1)
    expect(one.gradientNorms[0]).toBeCloseTo(Math.hypot(...gradient), 5)
    expect(first?.gradientNorms).toEqual(gradientNorms.slice(0, 3))
    const resumed = await trainPrompt(task(), from ? { from } : {})
    expect(resumed.gradientNorms).toEqual(gradientNorms)
  })

  describe('with views drawn anew for each epoch', () => {
    const plain = toySet(4, 1)
    const drawn: number[] = []
    const online = {
      key: 'noise',
      async features(epoch: number) {
        drawn.push(epoch)
        const noise = randomFor('online', epoch)
        const { shape, data } = plain.features
        return floatTensor(
          shape,
          data.map((x) => x + 0.1 * noise.normal()),
        )
      },
    }
    const toy = (changes: Partial<LearningSettings> = {}) => ({ ...task(changes), set: plain, online })

    it('learns from those of the epoch, and goes on to the same bits', async () => {
      const states: TrainingState[] = []
      const whole = await trainPrompt(toy(), { onEpoch: (state) => states.push(state) })
      expect(drawn).toEqual(Array.from({ length: 12 }, (_, epoch) => epoch))
      expect(whole.losses).not.toEqual((await trainPrompt({ ...task(), set: plain })).losses)
      const from = states[6]
      const resumed = await trainPrompt(toy(), from ? { from } : {})
      expect(drawn.slice(12)).toEqual([7, 8, 9, 10, 11])
      expect(resumed.losses).toEqual(whole.losses)
      expect(resumed.ctx.data).toEqual(whole.ctx.data)
    })

    it('is refused features that do not fit, and hears of what cannot be drawn', async () => {
      const broken = (features: (epoch: number) => Promise<FloatTensor>) =>
        trainPrompt({ ...toy(), online: { key: '', features } })
      await expect(broken(async () => floatTensor([3, 1, 4]))).rejects.toThrow(ShapeError)
      await expect(broken(async (epoch) => (epoch < 2 ? plain.features : gone()))).rejects.toThrow('picture 3 is gone')
    })

    it('waits for what is under way when it is stopped', async () => {
      let under = 0
      const slow = async () => {
        under++
        await new Promise((resolve) => setTimeout(resolve, 20))
        under--
        return plain.features
      }
      const stop = new AbortController()
      const onProgress = () => stop.abort(new Error('enough'))
      const run = trainPrompt({ ...toy(), online: { key: '', features: slow } }, { onProgress, signal: stop.signal })
      await expect(run).rejects.toThrow('enough')
      expect(under).toBe(0)
    })
  })

  it('tells its progress, step by step', async () => {
    const events: unknown[] = []
    const { losses } = await trainPrompt(task({ epochs: 2 }), { onProgress: (event) => events.push(event) })
    expect(events).toEqual(losses.map((loss, i) => ({ kind: 'train', done: i + 1, total: 6, loss })))
  })

  it('stops when asked', async () => {
    const stop = new AbortController()
    const onProgress = ({ done }: { done: number }) => done === 4 && stop.abort(new Error('enough'))
    await expect(trainPrompt(task(), { signal: stop.signal, onProgress })).rejects.toThrow('enough')
  })

  it('says at which step and rate the loss stopped being a number', async () => {
    const broken = task()
    broken.set.features.data.fill(Number.NaN, 0, 10)
    await expect(trainPrompt(broken, { order: inOrder })).rejects.toThrow(DivergedError)
    await expect(trainPrompt(broken, { order: inOrder })).rejects.toThrow(
      /the loss of step 1 is NaN \(learning rate 0\.00001\)/,
    )
  })

  it('refuses what does not fit', async () => {
    const with_ = (changes: Partial<TrainingTask>) => trainPrompt({ ...task(), ...changes })
    await expect(trainPrompt(task({ init: 'a photo', M: 3 }))).rejects.toThrow(/has 2 tokens, so M is 2, not 3/)
    await expect(trainPrompt(task({ epochs: 0 }))).rejects.toThrow(UsageError)
    await expect(trainPrompt(task({ batchSize: 1.5 }))).rejects.toThrow(UsageError)
    await expect(trainPrompt(task({ learningRate: 0 }))).rejects.toThrow(UsageError)
    await expect(with_({ classNames: ['dog'] })).rejects.toThrow(/one class only/)
    await expect(with_({ set: { ...toySet(1), labels: [0, 1, 3] } })).rejects.toThrow(/label 3/)
    await expect(with_({ set: { features: floatTensor([3, 1, 7]), labels: [0, 1, 2] } })).rejects.toThrow(ShapeError)
    await expect(with_({ set: { features: floatTensor([0, 1, 10]), labels: [] } })).rejects.toThrow(CoopError)
    const from = startOf(task({ M: 2 }))
    await expect(trainPrompt(task(), { from })).rejects.toThrow(/context vectors to start from are \(2, 12\)/)
  })
})

describe('batches', () => {
  it('drop what is left over, unless it is all there is', () => {
    expect(batchesOf([5, 3, 1, 4, 2], 2)).toEqual([
      [5, 3],
      [1, 4],
    ])
    expect(batchesOf([1, 0], 32)).toEqual([[1, 0]])
    expect([stepsOf(5, 2), stepsOf(2, 32), stepsOf(32, 32)]).toEqual([2, 1, 1])
  })

  it('hold every image at most once, in a new order each epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 40 }), (n, size) => {
        const order = shuffled(1)
        const images = batchesOf(order(0, n), size).flat()
        expect(new Set(images).size).toBe(images.length)
        expect(images.length).toBe(stepsOf(n, size) * Math.min(n, size))
        if (n > 8) expect(Array.from(order(0, n))).not.toEqual(Array.from(order(1, n)))
      }),
    )
  })

  it('show each image its views in turn', () => {
    const features = floatTensor([2, 3, 1], Float32Array.of(0, 1, 2, 10, 11, 12))
    const shown = (epoch: number) => Array.from(feedsOf({ features, labels: [4, 5] }, [1, 0], epoch).features.data)
    expect([0, 1, 2, 3].map(shown)).toEqual([
      [11, 0],
      [12, 1],
      [10, 2],
      [11, 0],
    ])
    expect(Array.from(feedsOf({ features, labels: [4, 5] }, [1, 0], 0).labels.data, Number)).toEqual([5, 4])
  })
})
