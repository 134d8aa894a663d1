import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DivergedError } from '../base/errors.ts'
import type { Progress } from '../base/progress.ts'
import { add, Graph, matmul, scale, sumSquares } from '../graph/index.ts'
import { floatTensor } from '../graph/tensor.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { memoryCheckpoint } from '../testing/memory-checkpoint.ts'
import { featureFeeds, inOrder, shuffled } from './batches.ts'
import { labelLoss } from './logits.ts'
import { type GradientTask, learnByGradients, loadStep, stepOf } from './loop.ts'
import { adamW, sgd } from './optimisers.ts'
import type { Step, Tensors } from './types.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const [images, embed, classes] = [10, 3, 2]
const wave = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(3 * i + 1))

const set = {
  features: floatTensor([images, 2, embed], wave(images * 2 * embed)),
  labels: Array.from({ length: images }, (_, i) => i % 2),
}

/** A linear classifier with a bias and a small decay. */
function linearTask(changes: Partial<GradientTask> = {}): GradientTask {
  return {
    runtime,
    program(batch) {
      const graph = new Graph()
      const weight = graph.input('weight', [embed, classes])
      const bias = graph.input('bias', [classes])
      const logits = add(matmul(graph.input('features', [batch, embed]), weight), bias)
      const loss = add(labelLoss(logits), scale(sumSquares(weight, [0, 1]), 0.01))
      return stepOf(loss, new Map([...Object.entries({ weight, bias })]), { logits })
    },
    start: new Map([
      ['weight', floatTensor([embed, classes], wave(embed * classes))],
      ['bias', floatTensor([classes])],
    ]),
    feeds: featureFeeds(set),
    epochs: 5,
    batchSize: 3,
    order: shuffled(4),
    optimiser: sgd(),
    learningRate: (epoch, step) => 0.1 / (1 + epoch) + 0.001 * step,
    ...changes,
  }
}

const adam = adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-4, weightDecay: 0.01 })

/** What a run of this ends with, as plain numbers. */
function plain({ tensors, steps }: Awaited<ReturnType<typeof learnByGradients>>) {
  return { tensors: Array.from(tensors, ([name, { data }]) => [name, Array.from(data)]), steps }
}

describe('learning by gradients', () => {
  it('takes whole batches of every epoch, at the rates asked for, and leaves the start as it was', async () => {
    const task = linearTask()
    const before = JSON.stringify(Array.from(task.start))
    const events: Progress[] = []
    const { steps, tensors } = await learnByGradients(task, { onProgress: (event) => events.push(event) })
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1))
    expect(steps.map(({ learningRate }) => learningRate)).toEqual(
      steps.map((_, i) => 0.1 / (1 + Math.floor(i / 3)) + 0.001 * i),
    )
    expect(events.map((event) => [event.done, event.total])).toEqual(steps.map((_, i) => [i + 1, 15]))
    expect(steps.every(({ gradientNorm }) => gradientNorm > 0)).toBe(true)
    expect([...tensors.keys()]).toEqual(['weight', 'bias'])
    expect(JSON.stringify(Array.from(task.start))).toBe(before)
  })

  it('makes one step of SGD as the equation says', async () => {
    const task = linearTask({ epochs: 1, batchSize: 99, order: inOrder, learningRate: () => 0.5 })
    const session = await loadStep(runtime, task.program(images))
    const features = floatTensor([images, embed])
    for (let i = 0; i < images; i++) {
      const view = set.features.data.subarray((2 * i + (i % 2)) * embed, (2 * i + (i % 2) + 1) * embed)
      features.data.set(view, i * embed)
    }
    const labels = { dtype: 'int64' as const, shape: [images], data: BigInt64Array.from(set.labels, BigInt) }
    const outputs = await session.run({ ...Object.fromEntries(task.start), features, labels })
    await session.dispose()
    const { steps, tensors } = await learnByGradients(task)
    const gradients = ['weight', 'bias'].map((name) => Array.from(outputs[`gradient.${name}`]?.data ?? []))
    expect(steps).toHaveLength(1)
    expect(steps[0]?.loss).toBe(outputs.loss?.data[0])
    expect(steps[0]?.gradientNorm).toBeCloseTo(Math.hypot(...gradients.flat()), 6)
    for (const [i, name] of ['weight', 'bias'].entries()) {
      const start = task.start.get(name)?.data ?? []
      const expected = Array.from(start, (w, j) => w - 0.5 * ((gradients[i]?.[j] ?? 0) + 5e-4 * w))
      for (const [j, value] of (tensors.get(name)?.data ?? []).entries()) expect(value).toBeCloseTo(expected[j] ?? 0, 6)
    }
  })

  it('stopped after any step and resumed from its checkpoint, ends with the same numbers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 14 }), fc.constantFrom(sgd(), adam), async (stop, optimiser) => {
        const task = linearTask({ optimiser })
        const whole = plain(await learnByGradients(task))
        const checkpoint = memoryCheckpoint()
        const controller = new AbortController()
        const onProgress = ({ done }: Progress) => done === stop && controller.abort(new Error('stopped'))
        const { signal } = controller
        await expect(learnByGradients(task, { checkpoint, signal, onProgress })).rejects.toThrow('stopped')
        const dones: number[] = []
        const heard: (readonly Step[])[] = []
        const resumed = await learnByGradients(task, {
          checkpoint,
          onProgress: ({ done }) => dones.push(done),
          onSteps: (steps) => heard.push([...steps]),
        })
        expect(dones[0]).toBe(stop + 1)
        expect(heard).toEqual(Array.from({ length: 16 - stop }, (_, i) => whole.steps.slice(0, stop + i)))
        expect(plain(resumed)).toEqual(whole)
        // a finished one is not learned again
        const again = await learnByGradients(task, { checkpoint, onProgress: () => expect.unreachable() })
        expect(plain(again)).toEqual(whole)
      }),
      { numRuns: 6, seed: 2 },
    )
  })

  it('writes checkpoints that later steps leave as they are', async () => {
    const written: Tensors[] = []
    const write = async (tensors: Tensors) => void written.push(tensors)
    await learnByGradients(linearTask(), { checkpoint: { seconds: 0, read: async () => undefined, write } })
    expect(written.map((tensors) => tensors.get('steps')?.shape)).toEqual(written.map((_, i) => [i + 1, 2]))
    const weights = written.map((tensors) => String(tensors.get('weight')?.data))
    expect(new Set(weights).size).toBe(15)
  })

  it('refuses a checkpoint of something else', async () => {
    const checkpoint = memoryCheckpoint()
    await learnByGradients(linearTask(), { checkpoint })
    await expect(learnByGradients(linearTask({ optimiser: adam }), { checkpoint })).rejects.toThrow(
      /checkpoint is from other training: first of weight is missing/,
    )
    const wider = new Map([['weight', floatTensor([4, 2])]])
    await expect(learnByGradients(linearTask({ start: wider }), { checkpoint })).rejects.toThrow(/weight is \(3, 2\)/)
    const without = new Map(await checkpoint.read())
    without.delete('steps')
    const noSteps = { ...checkpoint, read: async () => without }
    await expect(learnByGradients(linearTask(), { checkpoint: noSteps })).rejects.toThrow(/it has no steps/)
    await expect(learnByGradients(linearTask({ epochs: 4 }), { checkpoint })).rejects.toThrow(/it has 15 steps of 12/)
  })

  it('calls a checkpoint with values that are not numbers damaged, not the learning rate too large', async () => {
    const checkpoint = memoryCheckpoint()
    await learnByGradients(linearTask(), { checkpoint })
    const kept = new Map(await checkpoint.read())
    kept.set('bias', floatTensor([classes], Float32Array.of(0, Number.NaN)))
    const damaged = learnByGradients(linearTask(), { checkpoint: { ...checkpoint, read: async () => kept } })
    await expect(damaged).rejects.toThrow(/checkpoint is damaged: bias contains values that are not numbers/)
    await expect(damaged).rejects.not.toThrow(DivergedError)
  })

  it('says when training failed', async () => {
    const features = floatTensor([images, 1, embed], wave(images * embed).fill(Number.NaN))
    const broken = featureFeeds({ features, labels: set.labels })
    await expect(learnByGradients(linearTask({ feeds: broken }))).rejects.toThrow(DivergedError)
    await expect(learnByGradients(linearTask({ learningRate: () => 1e38 }))).rejects.toThrow(/step/)
  })

  it('takes views drawn anew instead of the set', async () => {
    const viewsOf = (epoch: number) => wave(images * embed).map((x) => x + epoch)
    const online = { key: 'k', features: async (epoch: number) => floatTensor([images, 1, embed], viewsOf(epoch)) }
    const found = await learnByGradients(linearTask({ feeds: featureFeeds(set, online, 2), epochs: 2 }))
    // the same views as a set, from which image i shows view (epoch + i) % 2
    const features = floatTensor([images, 2, embed])
    for (let i = 0; i < images; i++) {
      for (const epoch of [0, 1]) {
        const view = viewsOf(epoch).subarray(i * embed, (i + 1) * embed)
        features.data.set(view, (2 * i + ((epoch + i) % 2)) * embed)
      }
    }
    const both = featureFeeds({ features, labels: set.labels })
    const expected = await learnByGradients(linearTask({ feeds: both, epochs: 2 }))
    expect(plain(found)).toEqual(plain(expected))
  })
})
