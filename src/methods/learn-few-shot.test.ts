import { expect, it } from 'vitest'
import { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { textClassifier } from '../learning/classifier.ts'
import { engine } from '../testing/engine.ts'
import { memoryCheckpoint } from '../testing/memory-checkpoint.ts'
import { tinyClip } from '../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../testing/toy-task.ts'
import { coop } from './coop/index.ts'
import { type FewShotTask, learnFewShot } from './learn-few-shot.ts'
import { linearProbe } from './linear-probe/index.ts'
import { defineMethod, type Task } from './method.ts'

const clip = await tinyClip()
const task = (changes: Partial<FewShotTask> = {}): FewShotTask => ({
  clip,
  runtime: engine,
  classNames: toyClasses,
  train: toySet(4),
  ...changes,
})
const images = floatTensor([30, 10], toySet(10, 1).features.data)
const { labels } = toySet(10, 1)

const right = (predicted: readonly number[]) => labels.filter((label, i) => predicted[i] === label).length

it('learns by CoOp where nothing else is said, with all settings complete', async () => {
  const { method, settings, learned, classifier } = await learnFewShot(task({ settings: { M: 2, epochs: 3 } }))
  expect(method).toBe(coop)
  expect(settings).toEqual(coop.settings.parse({ M: 2, epochs: 3 }))
  expect(learned.tensors.get('ctx')?.shape).toEqual([2, 12])
  expect(classifier.classNames).toEqual(toyClasses)
  expect((await classifier.logits(images)).shape).toEqual([30, 3])
})

it('learns by another method of that name, which tells the toy classes apart', async () => {
  const { method, learned, classifier } = await learnFewShot(task({ method: 'linear-probe', val: toySet(2, 1) }))
  expect(method).toBe(linearProbe)
  expect(learned.facts).toMatchObject({ valAccuracy: 1 })
  expect(right(await classifier.predict(images))).toBe(30)
  const alone = await learnFewShot(task({ method: 'linear-probe' }))
  expect(alone.learned.facts).toMatchObject({ C: 1, note: expect.stringMatching(/no validation images/) })
  const zeroShot = await learnFewShot(task({ method: 'zero-shot' }))
  expect((await zeroShot.classifier.logits(images)).shape).toEqual([30, 3])
})

it('learns by a method of one’s own', async () => {
  const asked: Task[] = []
  const firstImage = defineMethod({
    name: 'first image',
    summary: 'the class whose first image is nearest',
    source: 'this test',
    pictures: 'plain',
    settings: z.strictObject({ scale: z.number().positive().default(2) }),
    title: ({ scale }) => `first image times ${scale}`,
    transfers: () => false,
    async learn(task, { scale }) {
      asked.push(task)
      const { features, labels } = task.train
      const [, views = 1, embed = 0] = features.shape
      const rows = task.classNames.flatMap((_, c) => {
        const start = labels.indexOf(c) * views * embed
        return Array.from(features.data.subarray(start, start + embed), (x) => x * scale)
      })
      const first = floatTensor([task.classNames.length, embed], Float32Array.from(rows))
      return { tensors: new Map([['first', first]]), facts: { scale }, steps: [] }
    },
    async classifier(classes, _, { tensors }) {
      return textClassifier(classes, tensors.get('first') ?? floatTensor([0, 0]))
    },
  })
  const { method, settings, learned, classifier } = await learnFewShot(task({ method: firstImage }))
  expect(method).toBe(firstImage)
  expect(settings).toEqual({ scale: 2 })
  expect(learned.facts).toEqual({ scale: 2 })
  expect(right(await classifier.predict(images))).toBeGreaterThan(25)
  // what was not said
  const val: FloatTensor = floatTensor([0, 1, 10])
  expect(asked[0]).toMatchObject({ shots: 4, seed: 1, val: { features: val, labels: [] } })
  expect(asked[0]?.templates).toEqual(['a photo of a {}.'])
  await learnFewShot(task({ method: firstImage, shots: 7, seed: 5, templates: ['the {}'], val: toySet(1) }))
  expect(asked[1]).toMatchObject({ shots: 7, seed: 5, templates: ['the {}'], val: { labels: [0, 1, 2] } })
})

it('has as many shots as the classes have images in the mean', async () => {
  const { features } = toySet(2)
  const uneven = { features, labels: [0, 0, 0, 0, 1, 2] }
  const epochs = async (shots?: number) =>
    (await learnFewShot(task({ train: uneven, shots, settings: { M: 1, epochScale: 0.1 } }))).learned.facts.epochs
  expect(await epochs()).toBe(10) // of 100 for two shots, of 200 for the six of the largest class
  expect(await epochs(1)).toBe(5)
})

it('names wrong settings, methods and classes before anything is learned', async () => {
  const onProgress = () => expect.unreachable()
  const refused = (changes: Partial<FewShotTask>) => expect(learnFewShot(task(changes), { onProgress })).rejects
  await refused({ settings: { epoch: 3, M: 0 } }).toThrow(/settings of coop: (?=.*\bepoch\b)(?=.*\bM\b)/)
  await refused({ settings: { epoch: 3 } }).toThrow(UsageError)
  await refused({ method: 'clip-adaptor' }).toThrow(/did you mean "clip-adapter"/)
  await refused({ classNames: ['dog', 'Dog', 'cat'] }).toThrow(/duplicate/)
  await refused({ method: 'linear-probe', train: { ...toySet(1), labels: [0, 1, 1] } }).toThrow(/"house"/)
})

it('goes on from a checkpoint, and stops when asked', async () => {
  const checkpoint = memoryCheckpoint()
  const stop = new AbortController()
  const onProgress = ({ done }: { done: number }) => done === 5 && stop.abort(new Error('enough'))
  const few = task({ settings: { M: 2, epochs: 9 } })
  const whole = await learnFewShot(few)
  await expect(learnFewShot(few, { checkpoint, onProgress, signal: stop.signal })).rejects.toThrow('enough')
  const dones: number[] = []
  const resumed = await learnFewShot(few, { checkpoint, onProgress: ({ done }) => dones.push(done) })
  expect(dones).toEqual([6, 7, 8, 9])
  expect(resumed.learned).toEqual(whole.learned)
})
