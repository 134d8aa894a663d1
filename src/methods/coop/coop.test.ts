import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CoopError, DivergedError, ShapeError, UsageError } from '../../base/errors.ts'
import { randomFor } from '../../base/random.ts'
import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { featureFeeds, inOrder, type TrainingSet } from '../../learning/batches.ts'
import { accuracyOf } from '../../learning/classifier.ts'
import type { CheckpointStore, Tensors } from '../../learning/types.ts'
import { softmaxRows } from '../../learning/vectors.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import { learnedPrompt } from '../../prompt/learned-prompt.ts'
import { promptClassifier } from '../../prompt/prompt-classifier.ts'
import type { Runtime } from '../../runtime/types.ts'
import { toySet, toySettings, toyTask } from '../../testing/toy-task.ts'
import { contextOf } from '../context.ts'
import type { Task } from '../method.ts'
import { coop } from './index.ts'
import { coopStep } from './program.ts'
import { fallingTemperature } from './recipes.ts'
import { type LearningSettings, PAPER_SETTINGS, type TrainingTask, trainPrompt } from './train-prompt.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const task = (changes: Partial<LearningSettings> = {}) => toyTask(runtime, changes)

/** What learning starts from. */
const startOf = ({ settings, ...toy }: TrainingTask) => contextOf({ ...toy, seed: settings.seed }, settings).ctx

const gone = () => {
  throw new Error('picture 3 is gone')
}

/** Accuracy of a prompt on all views of the images it learned from. */
async function accuracy(ctx: FloatTensor, { clip, classNames, set, settings }: TrainingTask): Promise<number> {
  const classifier = await promptClassifier(clip, runtime, learnedPrompt(clip.fingerprint, classNames, settings, ctx))
  const { rows, labels } = allViews(set)
  return accuracyOf(classNames, await classifier.predict(rows), labels).accuracy
}

function allViews({ features, labels }: TrainingSet) {
  const [images = 0, views = 1, embed = 0] = features.shape
  return {
    rows: floatTensor([images * views, embed], features.data),
    labels: labels.flatMap((label) => new Array<number>(views).fill(label)),
  }
}

/** Keeps what is written after each step; begins with what it is given. */
function checkpoints(from?: Tensors): CheckpointStore & { readonly written: Tensors[] } {
  const written: Tensors[] = []
  return { seconds: 0, written, read: async () => from, write: async (tensors) => void written.push(tensors) }
}

describe('trainPrompt', () => {
  it.each([
    { classSpecific: false, position: 'end' },
    { classSpecific: false, position: 'middle' },
    { classSpecific: true, position: 'front' },
  ] as const)('learns what can be told apart: %o', async (shape) => {
    const toy = task({ ...shape, epochs: 60 })
    const { ctx, losses } = await trainPrompt(toy)
    const mean = (losses: readonly number[]) => losses.reduce((a, b) => a + b, 0) / losses.length
    expect(mean(losses.slice(-10))).toBeLessThan(0.75 * mean(losses.slice(0, 3)))
    expect(await accuracy(startOf(toy), toy)).toBeLessThan(0.8)
    expect(await accuracy(ctx, toy)).toBeGreaterThan(0.95)
  })

  it('goes on from any step to the same bits', async () => {
    const whole = checkpoints()
    const { ctx, steps } = await trainPrompt(task(), { checkpoint: whole })
    expect(steps.map(({ step, epoch }) => [step, epoch])).toEqual(
      Array.from({ length: 36 }, (_, i) => [i + 1, 1 + Math.floor(i / 3)]),
    )
    for (const from of [0, 1, 20, 35]) {
      const checkpoint = checkpoints(whole.written[from])
      const resumed = await trainPrompt(task(), { checkpoint })
      expect(resumed.steps).toEqual(steps)
      expect(resumed.ctx.data).toEqual(ctx.data)
      expect(checkpoint.written).toEqual(whole.written.slice(from + 1))
    }
  })

  it('is decided by its seed: the start and the order of images', async () => {
    const run = async (seed: number, start?: FloatTensor) =>
      (await trainPrompt(task({ seed, epochs: 2 }), { start })).losses
    const one = await run(1)
    const start = startOf(task({ seed: 1 }))
    expect(await run(1, start)).toEqual(one)
    expect(await run(2, start)).not.toEqual(one) // another order
    expect(startOf(task({ seed: 0 })).data).not.toEqual(start.data)
  })

  it('starts from words where it is told to', () => {
    const { clip } = task()
    const ctx = startOf(task({ init: 'a photo', M: 2 }))
    const table = clip.weights.get('token_embedding.weight')?.data ?? new Float32Array()
    const { width } = clip.config.text
    const [first = 0] = clip.tokenizer.encode('a')
    expect(ctx.data.slice(0, width)).toEqual(table.slice(first * width, (first + 1) * width))
    const each = startOf(task({ init: 'a photo', M: 2, classSpecific: true }))
    expect(each.shape).toEqual([3, 2, width])
    expect(each.data).toEqual(Float32Array.from([...ctx.data, ...ctx.data, ...ctx.data]))
  })

  it('keeps the length of the gradient of each step', async () => {
    // the first step is plain descent: momentum is then the gradient with the decay of the start
    const start = startOf(task()).data
    const checkpoint = checkpoints()
    const { steps } = await trainPrompt(task({ epochs: 1, batchSize: 12 }), { checkpoint })
    const momentum = checkpoint.written[0]?.get('momentum of ctx')?.data ?? new Float32Array()
    const gradient = momentum.map((m, i) => m - 5e-4 * (start[i] ?? 0))
    expect(steps).toHaveLength(1)
    expect(steps[0]?.gradientNorm).toBeCloseTo(Math.hypot(...gradient), 5)
    expect(steps[0]?.gradientNorm).toBeGreaterThan(0.001)
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
      const checkpoint = checkpoints()
      const whole = await trainPrompt(toy(), { checkpoint })
      expect(drawn).toEqual(Array.from({ length: 12 }, (_, epoch) => epoch))
      expect(whole.losses).not.toEqual((await trainPrompt({ ...task(), set: plain })).losses)
      // after epoch 7, and within it
      for (const [steps, epochs] of [
        [21, [7, 8, 9, 10, 11]],
        [20, [6, 7, 8, 9, 10, 11]],
      ] as const) {
        drawn.length = 0
        const resumed = await trainPrompt(toy(), { checkpoint: checkpoints(checkpoint.written[steps - 1]) })
        expect(drawn).toEqual(epochs)
        expect(resumed.losses).toEqual(whole.losses)
        expect(resumed.ctx.data).toEqual(whole.ctx.data)
      }
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
    await expect(trainPrompt(task({ warmup: 'linear', warmupEpochs: 0 }))).rejects.toThrow(UsageError)
    await expect(with_({ classNames: ['dog'] })).rejects.toThrow(/one class only/)
    await expect(with_({ set: { ...toySet(1), labels: [0, 1, 3] } })).rejects.toThrow(/label 3/)
    await expect(with_({ set: { features: floatTensor([3, 1, 7]), labels: [0, 1, 2] } })).rejects.toThrow(ShapeError)
    await expect(with_({ set: { features: floatTensor([0, 1, 10]), labels: [] } })).rejects.toThrow(CoopError)
    const start = startOf(task({ M: 2 }))
    await expect(trainPrompt(task(), { start })).rejects.toThrow(/initial context vectors have shape \(2, 12\)/)
  })
})

function methodTask(changes: Partial<Task> = {}): Task {
  const { clip, classNames, set } = task()
  const templates = ['a photo of a {}.']
  return {
    clip,
    runtime,
    classNames,
    templates,
    train: set,
    val: toySet(1),
    shots: 4,
    seed: toySettings.seed,
    ...changes,
  }
}

describe('the method', () => {
  it('learns what trainPrompt learns', async () => {
    const { seed: _, ...settings } = toySettings
    const { tensors, steps, facts } = await coop.learn(methodTask(), settings, {})
    const expected = await trainPrompt(task())
    expect(tensors.get('ctx')?.data).toEqual(expected.ctx.data)
    expect(steps).toEqual(expected.steps)
    expect(facts).toEqual({ epochs: 12 })
  })

  it('learns as long as the paper for that many shots or that data set, or a share of it', async () => {
    const epochs = async (settings: object, changes: Partial<Task> = {}) => {
      const start = { M: 1, batchSize: null, ...settings }
      return (await coop.learn(methodTask(changes), start, {})).facts.epochs
    }
    expect(await epochs({}, { shots: 1 })).toBe(50)
    expect(await epochs({ epochScale: 0.25 })).toBe(25)
    expect(await epochs({ epochScale: 0.13 }, { epochs: 50 })).toBe(7)
    expect(await epochs({ epochs: 3, epochScale: 0.25 })).toBe(3)
  })

  it('gives a classifier for its own classes, and where they share a context, for others', async () => {
    const [settings, other] = [{ M: 2, epochs: 1 }, { classNames: ['photo', 'paper'] }]
    const { rows } = allViews(toySet(2))
    for (const classSpecific of [false, true]) {
      const learned = await coop.learn(methodTask(), { ...settings, classSpecific }, {})
      const classifier = await coop.classifier(methodTask(), { ...settings, classSpecific }, learned)
      expect((await classifier.logits(rows)).shape).toEqual([12, 3])
      expect(coop.transfers({ classSpecific })).toBe(!classSpecific)
    }
    const learned = await coop.learn(methodTask(), settings, {})
    expect((await (await coop.classifier(methodTask(other), settings, learned)).logits(rows)).shape).toEqual([12, 2])
    expect(() => coop.check?.(methodTask({ classNames: ['dog', 'Dog'] }), {})).toThrow(/duplicate/)
  })

  it('takes as many vectors as there are words to start from', async () => {
    const { tensors } = await coop.learn(methodTask(), { init: 'a photo of', epochs: 1 }, {})
    expect(tensors.get('ctx')?.shape).toEqual([3, 12])
  })
})

describe('the fast recipe', () => {
  it.each([
    { classSpecific: false, M: 12 },
    { classSpecific: true, M: 3 },
  ])('reaches what can be told apart in 100 steps over all images: %o', async (shape) => {
    const toy = task(shape)
    const { tensors, steps, facts } = await coop.learn(methodTask(), { ...shape, recipe: 'fast' }, {})
    expect(facts).toEqual({ epochs: 100 })
    expect(steps.map(({ step, epoch }) => [step, epoch])).toEqual(Array.from({ length: 100 }, (_, i) => [i + 1, i + 1]))
    const start = startOf(toy)
    expect(await accuracy(start, toy)).toBeLessThan(0.8)
    expect(await accuracy(tensors.get('ctx') ?? start, toy)).toBeGreaterThan(0.95)
  })

  it('rises to the full rate in five steps, and falls along a cosine to zero', async () => {
    const { steps } = await coop.learn(methodTask(), { M: 3, recipe: 'fast' }, {})
    const rates = steps.map(({ learningRate }) => learningRate)
    expect(rates.slice(0, 6)).toEqual([0.004, 0.008, 0.012, 0.016, 0.02, 0.02].map((rate) => expect.closeTo(rate, 12)))
    for (const [i, rate] of rates.slice(5).entries()) {
      expect(rate).toBeCloseTo(0.01 * (1 + Math.cos((Math.PI * i) / 95)), 12)
    }
    expect(rates.at(-1)).toBeLessThan(1e-4)
  })

  it('divides the logits by 10 at first, and by 1 from a fifth of the epochs on', async () => {
    const temperatures = (epochs: number, ...of: number[]) => of.map((epoch) => fallingTemperature(epochs, epoch))
    expect(temperatures(100, 0, 10, 20, 21, 99)).toEqual([10, 10 ** 0.5, 1, 1, 1])
    expect(temperatures(1, 0)).toEqual([10])
    const { clip, classNames, train, seed } = methodTask()
    const { steps } = await coop.learn(methodTask(), { M: 3, recipe: 'fast', epochs: 1 }, {})
    const { ctx, layout } = contextOf({ clip, classNames, seed }, { ...PAPER_SETTINGS, M: 3 })
    const { labels } = train
    const session = await runtime.load(coopStep(clip, layout, labels.length))
    const feed = await featureFeeds(train).of(Array.from(labels.keys()), 0)
    const { logits } = await session.run({ ctx, ...feed })
    await session.dispose()
    const lossAt = (temperature: number) => {
      const shares = softmaxRows(logits, temperature)
      const own = labels.map((label, i) => -Math.log(shares.data[i * classNames.length + label] ?? 0))
      return own.reduce((a, b) => a + b, 0) / own.length
    }
    expect(steps[0]?.loss).toBeCloseTo(lossAt(10), 5)
    expect(steps[0]?.loss).not.toBeCloseTo(lossAt(1), 2)
  })

  it('goes on from any step to the same bits', async () => {
    const learn = (checkpoint: CheckpointStore) =>
      coop.learn(methodTask(), { M: 3, recipe: 'fast', epochs: 20 }, { checkpoint })
    const whole = checkpoints()
    const { tensors, steps } = await learn(whole)
    for (const from of [0, 2, 5, 18]) {
      const resumed = await learn(checkpoints(whole.written[from]))
      expect(resumed.steps).toEqual(steps)
      expect(resumed.tensors).toEqual(tensors)
    }
  })
})

it('settings that are left out depend on the recipe', () => {
  const depending = (settings: object) =>
    expect.objectContaining({ epochs: null, batchSize: 32, learningRate: 0.002, ...settings })
  expect(coop.settings.parse({})).toEqual(depending({ recipe: 'paper', warmup: 'constant', warmupEpochs: 1 }))
  const fast = { recipe: 'fast', epochs: 100, batchSize: null, learningRate: 0.02, warmup: 'linear', warmupEpochs: 5 }
  expect(coop.settings.parse({ recipe: 'fast' })).toEqual(depending(fast))
  const own = { epochs: 7, batchSize: 8, learningRate: 0.1, warmup: 'none', warmupEpochs: 2 }
  for (const recipe of ['paper', 'fast']) {
    expect(coop.settings.parse({ recipe, ...own })).toEqual(depending({ recipe, ...own }))
  }
  expect(() => coop.settings.parse({ recipe: 'slow' })).toThrow(/recipe/)
})

it('is titled by what differs from the usual', () => {
  expect(coop.title({})).toBe('CoOp, end')
  expect(coop.title({ position: 'middle', classSpecific: true, M: 4 })).toBe('CoOp, middle, class-specific, M=4')
  expect(coop.title({ init: 'a photo of a', recipe: 'fast' })).toBe('CoOp, end, from "a photo of a", fast recipe')
  expect(coop.title({ epochScale: 0.25 })).toBe('CoOp, end, 0.25 x the epochs')
})
