import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DivergedError } from '../base/errors.ts'
import type { Progress } from '../base/progress.ts'
import { bytesSource } from '../formats/safetensors.ts'
import { add, Graph, matmul, scale, sumSquares } from '../graph/index.ts'
import { floatTensor } from '../graph/tensor.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { inOrder, shuffled } from './batches.ts'
import { labelLoss } from './logits.ts'
import { type GradientTask, learnByGradients, stepOf } from './loop.ts'
import { adamW, sgd } from './optimisers.ts'
import type { CheckpointStore } from './types.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const [images, embed, classes] = [10, 3, 2]
const wave = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(3 * i + 1))

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
    set: {
      features: floatTensor([images, 2, embed], wave(images * 2 * embed)),
      labels: Array.from({ length: images }, (_, i) => i % 2),
    },
    epochs: 5,
    batchSize: 3,
    order: shuffled(4),
    optimiser: sgd,
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
    const session = await runtime.load(task.program(images))
    const features = floatTensor([images, embed])
    for (let i = 0; i < images; i++) {
      const view = task.set.features.data.subarray((2 * i + (i % 2)) * embed, (2 * i + (i % 2) + 1) * embed)
      features.data.set(view, i * embed)
    }
    const labels = { dtype: 'int64' as const, shape: [images], data: BigInt64Array.from(task.set.labels, BigInt) }
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
      fc.asyncProperty(fc.integer({ min: 1, max: 14 }), fc.constantFrom(sgd, adam), async (stop, optimiser) => {
        const task = linearTask({ optimiser, checkpointSeconds: 0 })
        const whole = plain(await learnByGradients(task))
        let kept: Uint8Array | undefined
        const checkpoint: CheckpointStore = {
          read: async () => kept && bytesSource('checkpoint', kept),
          write: async (bytes) => {
            kept = bytes
          },
        }
        const controller = new AbortController()
        const onProgress = ({ done }: Progress) => done === stop && controller.abort(new Error('stopped'))
        const { signal } = controller
        await expect(learnByGradients(task, { checkpoint, signal, onProgress })).rejects.toThrow('stopped')
        const dones: number[] = []
        const resumed = await learnByGradients(task, { checkpoint, onProgress: ({ done }) => dones.push(done) })
        expect(dones[0]).toBe(stop + 1)
        expect(plain(resumed)).toEqual(whole)
        // a finished one is not learned again
        const again = await learnByGradients(task, { checkpoint, onProgress: () => expect.unreachable() })
        expect(plain(again)).toEqual(whole)
      }),
      { numRuns: 6, seed: 2 },
    )
  })

  it('refuses a checkpoint of something else', async () => {
    let kept = new Uint8Array()
    const checkpoint = {
      read: async () => (kept.length > 0 ? bytesSource('run/checkpoint', kept) : undefined),
      write: async (bytes: Uint8Array) => {
        kept = new Uint8Array(bytes)
      },
    }
    await learnByGradients(linearTask({ checkpointSeconds: 0 }), { checkpoint })
    await expect(learnByGradients(linearTask({ optimiser: adam }), { checkpoint })).rejects.toThrow(/run\/checkpoint/)
    const wider = new Map([['weight', floatTensor([4, 2])]])
    await expect(learnByGradients(linearTask({ start: wider }), { checkpoint })).rejects.toThrow(/weight is \(3, 2\)/)
  })

  it('says when training broke down', async () => {
    const features = floatTensor([images, 1, embed], wave(images * embed).fill(Number.NaN))
    const set = { features, labels: linearTask().set.labels }
    await expect(learnByGradients(linearTask({ set }))).rejects.toThrow(DivergedError)
    await expect(learnByGradients(linearTask({ learningRate: () => 1e38 }))).rejects.toThrow(/step/)
  })

  it('takes views drawn anew instead of the set', async () => {
    const viewsOf = (epoch: number) => wave(images * embed).map((x) => x + epoch)
    const online = { key: 'k', features: async (epoch: number) => floatTensor([images, 1, embed], viewsOf(epoch)) }
    const found = await learnByGradients(linearTask({ online, epochs: 2 }))
    // the same views as a set, from which image i shows view (epoch + i) % 2
    const features = floatTensor([images, 2, embed])
    for (let i = 0; i < images; i++) {
      for (const epoch of [0, 1]) {
        const view = viewsOf(epoch).subarray(i * embed, (i + 1) * embed)
        features.data.set(view, (2 * i + ((epoch + i) % 2)) * embed)
      }
    }
    const { labels } = linearTask().set
    const expected = await learnByGradients(linearTask({ set: { features, labels }, epochs: 2 }))
    expect(plain(found)).toEqual(plain(expected))
  })
})
