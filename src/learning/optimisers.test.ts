import { describe, expect, it } from 'vitest'
import { sgdStep } from './optimisers.ts'
import { defaultEpochs, learningRateOf } from './schedule.ts'

function expectClose(actual: Float32Array, expected: readonly number[]) {
  for (const [i, x] of expected.entries()) expect(actual[i]).toBeCloseTo(x, 6)
}

describe('sgdStep', () => {
  it('takes a first step of lr (g + decay w), then adds nine tenths of what it did before', () => {
    const sgd = { values: Float32Array.of(1, -2), momentum: new Float32Array(2) }
    sgdStep(sgd, Float32Array.of(0.5, 0.25), 0.1)
    // d = (0.5005, 0.249),  w = (1, -2) - 0.1 d
    expectClose(sgd.momentum, [0.5005, 0.249])
    expectClose(sgd.values, [0.94995, -2.0249])
    sgdStep(sgd, Float32Array.of(0, 0), 0.1)
    // buffer = 0.9 (0.5005, 0.249) + 5e-4 w
    expectClose(sgd.momentum, [0.450924975, 0.22308755])
    expectClose(sgd.values, [0.9048575025, -2.047208755])
  })

  it('rounds to float32, so that a state read back from a file goes on alike', () => {
    const sgd = { values: Float32Array.of(0.1), momentum: Float32Array.of(0.3) }
    sgdStep(sgd, Float32Array.of(0.7), 0.002)
    expect(Math.fround(sgd.values[0] ?? 0)).toBe(sgd.values[0])
    expect(Math.fround(sgd.momentum[0] ?? 0)).toBe(sgd.momentum[0])
  })
})

describe('learningRateOf', () => {
  // of PyTorch's cosine schedule behind a constant first epoch, as the official code sets it up
  it.each([
    [50, 0, 1e-5],
    [50, 1, 0.002],
    [50, 2, 0.0019980267284282717],
    [50, 49, 7.885298685522235e-6],
    [6, 2, 0.001866025403784439],
    [6, 4, 0.001],
    [100, 3, 0.0019980267284282717],
  ])('of %i epochs, in epoch %i', (epochs, epoch, rate) => {
    expect(learningRateOf({ epochs, learningRate: 0.002 }, epoch)).toBeCloseTo(rate, 15)
  })

  // of Dassl's ConstantWarmupScheduler and LinearWarmupScheduler around PyTorch's cosine, and of the cosine alone
  const cosine = [0.002, 0.001866025403784439, 0.0015, 0.001, 0.0005, 0.0001339745962155613]
  it.each([
    [{ warmup: 'none' }, cosine],
    [{ warmup: 'none', warmupEpochs: 3 }, cosine],
    [{ warmup: 'constant', warmupEpochs: 3 }, [1e-5, 1e-5, 1e-5, ...cosine.slice(0, 3)]],
    [{ warmup: 'linear', warmupEpochs: 3 }, [1e-5, 0.002 / 3, 0.004 / 3, ...cosine.slice(0, 3)]],
    [{ warmup: 'linear' }, [1e-5, ...cosine.slice(0, 5)]],
  ] as const)('with %o', (warmup, rates) => {
    const found = rates.map((_, epoch) => learningRateOf({ epochs: 6, learningRate: 0.002, ...warmup }, epoch))
    for (const [i, rate] of rates.entries()) expect(found[i]).toBeCloseTo(rate, 15)
  })
})

it('defaultEpochs are the paper’s, and above its sixteen shots as many steps as there', () => {
  expect([1, 2, 3, 4, 5, 8, 16, 100, 10_000].map(defaultEpochs)).toEqual([50, 100, 100, 100, 200, 200, 200, 32, 1])
})
