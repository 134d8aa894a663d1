import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { reshape, sum } from '../graph/index.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { TrainingSet } from '../learning/batches.ts'
import { graphClassifier, rowClassifier } from '../learning/classifier.ts'
import { foldsOf } from '../learning/folds.ts'
import { subsetRows } from '../learning/labelled-rows.ts'
import { argmaxRows } from '../learning/vectors.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { tinyClip } from '../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../testing/toy-task.ts'
import { classMean } from './class-mean/index.ts'
import { type AnyMethod, defineMethod, type Task } from './method.ts'
import { outOfFold } from './out-of-fold.ts'

const clip = await tinyClip()
let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const taskOf = (train: TrainingSet): Task => ({
  clip,
  runtime,
  classNames: toyClasses,
  templates: ['a photo of a {}.'],
  train,
  val: { features: floatTensor([0, 1, clip.config.embedDim]), labels: [] },
  shots: 4,
  seed: 1,
})

/** Answers the class of the nearest image it has seen, surely. */
const nearest: AnyMethod = defineMethod({
  name: 'nearest',
  summary: 'the class of the nearest image',
  source: 'a test',
  pictures: 'plain',
  settings: z.strictObject({}),
  title: () => 'nearest',
  transfers: () => false,
  learn: async ({ train, shots }) => ({
    tensors: new Map([
      ['keys', train.features],
      ['labels', floatTensor([train.labels.length], Float32Array.from(train.labels))],
    ]),
    facts: { shots },
    steps: [],
  }),
  classifier: async (classes, _, { tensors }) => {
    const [keys, labels] = [tensors.get('keys')!, tensors.get('labels')!]
    const [n = 0] = keys.shape
    const d = clip.config.embedDim
    const all = async (x: ReturnType<typeof floatTensor>) => {
      const logits = floatTensor([x.shape[0] ?? 0, classes.classNames.length])
      for (let i = 0; i < logits.shape[0]!; i++) {
        const far = Array.from({ length: n }, (_, k) =>
          Math.hypot(...Array.from({ length: d }, (_, j) => x.data[i * d + j]! - keys.data[k * d + j]!)),
        )
        logits.data[i * classes.classNames.length + labels.data[far.indexOf(Math.min(...far))]!] = 1
      }
      return logits
    }
    return rowClassifier(clip, classes.classNames, {
      all,
      each: async (x, show) => show(await all(x), 0),
      dispose: async () => undefined,
    })
  },
})

it('judges an image by what has not seen it: labels drawn at random are right by chance only', async () => {
  const { features } = toySet(20, 1)
  const labels = Array.from({ length: 60 }, (_, i) => Math.floor(i / 3) % 3)
  const task = taskOf({ features, labels })
  const { logits, ...judged } = await outOfFold(nearest, task, {}, foldsOf(labels, { folds: 5, seed: 1 }))
  const right = argmaxRows(logits).filter((c, i) => c === judged.labels[i]).length
  expect(judged.images).toHaveLength(60)
  expect(right).toBeLessThan(35) // having seen it: 60
})

it('the row of an image is that of its fold, learned by hand', async () => {
  const train = toySet(4, 1)
  const folds = foldsOf(train.labels, { folds: 4, seed: 3 })
  const told: number[] = []
  const { logits, images, labels } = await outOfFold(classMean, taskOf(train), {}, folds, {
    onFold: (done) => told.push(done),
  })
  expect(told).toEqual([1, 2, 3, 4])
  expect(images).toEqual(train.labels.map((_, i) => i))
  expect(labels).toEqual(train.labels)
  const { train: seen, held } = folds[2]!
  const part = taskOf(subsetRows(train, seen))
  const classifier = await classMean.classifier(part, {}, await classMean.learn(part, {}, {}))
  const { features } = subsetRows(train, held)
  const wanted = await classifier.logits(floatTensor([held.length, clip.config.embedDim], features.data))
  await classifier.dispose()
  for (const [i, image] of held.entries()) {
    for (let c = 0; c < 3; c++) expect(logits.data[image * 3 + c]).toBeCloseTo(wanted.data[i * 3 + c]!, 5)
  }
})

it("has no row for a class's only image, which is always learned from", async () => {
  const train = subsetRows(toySet(4, 1), [0, 3, 6, 1, 4, 2])
  const { images, labels, logits } = await outOfFold(
    classMean,
    taskOf(train),
    {},
    foldsOf(train.labels, { folds: 5, seed: 1 }),
  )
  expect(images).toEqual([0, 1, 2, 3, 4])
  expect(labels).toEqual([0, 0, 0, 1, 1])
  expect(logits.shape).toEqual([5, 3])
})

it('a fold has its own part of the views of each epoch and of the pixels', async () => {
  const train = toySet(2, 1)
  const whole = floatTensor([6, 1, 1], Float32Array.from([0, 1, 2, 3, 4, 5]))
  const seen: (readonly number[])[] = []
  const learner = defineMethod({
    ...classMean,
    learn: async (task, settings, options) => {
      seen.push(Array.from((await task.online!.features(0)).data), Array.from((await task.pixels!.pixels([2], 0)).data))
      expect(task.pixels!.images).toBe(3)
      return classMean.learn(task, settings, options)
    },
  })
  const task = {
    ...taskOf(train),
    online: { key: 'all', features: async () => whole },
    pixels: {
      images: 6,
      pixels: async (some: readonly number[]) => subsetRows({ ...train, features: whole }, some).features,
    },
  }
  const [first, second] = [foldOf([0, 1, 5]), foldOf([2, 3, 4])]
  await outOfFold(learner, task, {}, [first, second])
  expect(seen).toEqual([[2, 3, 4], [4], [0, 1, 5], [5]])
})

it('refuses a classifier of pixels', async () => {
  const ofPixels = defineMethod({
    ...classMean,
    classifier: async (classes) =>
      graphClassifier(classes, (x) => reshape(sum(x, [1, 2, 3]), [x.shape[0] ?? 0, 1]), 'pixels'),
  })
  const train = toySet(2, 1)
  await expect(outOfFold(ofPixels, taskOf(train), {}, [foldOf([0, 1, 2])])).rejects.toThrow('looks at pixels')
})

const foldOf = (held: readonly number[]) => ({ held, train: [0, 1, 2, 3, 4, 5].filter((i) => !held.includes(i)) })
