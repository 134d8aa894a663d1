import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomFor } from '../../base/random.ts'
import { floatTensor } from '../../graph/tensor.ts'
import { checkEachClass, meanViews } from '../../learning/labelled-rows.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import type { Runtime } from '../../runtime/types.ts'
import { cluster } from '../../testing/clusters.ts'
import { distance } from '../../testing/distance.ts'
import { longestHold, UNNOTICED } from '../../testing/ticks.ts'
import { linearOutputs } from './linear-model.ts'
import { type Fit, fitLogistic } from './logistic-regression.ts'
import { fitsOfSearch, probeAt, type Solver, searchedProbe, searchLogC } from './probe.ts'
import { isLarge, plainProducts } from './products.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

/** The search of CoOp's lpclip/linear_probe.py, written as it stands there: by C, with its rounds. */
function officialSearch(accuracy: (C: number) => number, rounds: number): number {
  const list = [1e6, 1e4, 1e2, 1, 1e-2, 1e-4, 1e-6]
  const accuracies = list.map(accuracy)
  const peak = list[accuracies.indexOf(Math.max(...accuracies))] ?? 1
  let [left, right, final] = [0.1 * peak, 10 * peak, peak]
  for (let round = 0; round < rounds; round++) {
    const middle = 0.5 * (Math.log10(right) + Math.log10(left))
    if (accuracy(left) < accuracy(right)) [final, left] = [right, 10 ** middle]
    else [final, right] = [left, 10 ** middle]
  }
  return final
}

describe('the search for C', () => {
  it('goes the way of the official code on any landscape, ties too', async () => {
    const landscape = fc.record({
      peaks: fc.array(fc.double({ min: -7, max: 7, noNaN: true }), { minLength: 1, maxLength: 3 }),
      levels: fc.integer({ min: 1, max: 40 }),
      rounds: fc.integer({ min: 0, max: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(landscape, async ({ peaks, levels, rounds }) => {
        const byLog = (logC: number) =>
          Math.round(levels * Math.max(...peaks.map((p, i) => Math.exp(-((logC - p) ** 2) / (2 + i))))) / levels
        const tried = new Set<number>()
        const { logC } = await searchLogC(async (log) => byLog(Number([log, tried.add(log)][0])), rounds)
        const official = officialSearch((C) => byLog(Math.round(Math.log10(C) * 2 ** 20) / 2 ** 20), rounds)
        expect(logC).toBeCloseTo(Math.log10(official), 4)
        expect(tried.size).toBe(fitsOfSearch(rounds))
      }),
    )
  })

  it('fits each C once, and finds one that is as good as any it tried in the last round', async () => {
    const fits: number[] = []
    const probe = await searchedProbe(runtime, cluster(4, 4, 6, 1, 'train'), cluster(4, 20, 6, 1, 'val'), 4, {
      onFit: ({ C }) => fits.push(C),
    })
    expect(new Set(fits).size).toBe(15)
    expect(fitsOfSearch(8)).toBe(15)
    expect(probe.tried.map(({ C }) => C)).toEqual(fits)
    expect(probe.fit.converged).toBe(true)
    const best = Math.max(...probe.tried.slice(0, 7).map(({ valAccuracy }) => valAccuracy))
    expect(probe.tried.find(({ C }) => C === probe.C)?.valAccuracy).toBeGreaterThanOrEqual(best - 0.1)
  })

  it('large problems give the same by the runtime as small ones in this thread', async () => {
    const [classes, perClass, width] = [100, 4, 330]
    expect([isLarge(classes * perClass, width, classes), isLarge(classes, width, width)]).toEqual([true, true])
    const train = cluster(classes, perClass, width, 3, 'large')
    const [n = 0, d = 0] = train.x.shape
    const plain = plainProducts(Float64Array.from(train.x.data), n, d)
    for (const C of [1e-3, 1e-2]) {
      const exact = await fitLogistic(plain, train.labels, classes, C, { stop: { distance: 1e-4 } })
      const fit = await probeAt(runtime, train, classes, C)
      expect(fit.converged).toBe(true)
      expect(distance(fit.weights, Array.from(exact.weights))).toBeLessThan(5e-3)
    }
  })

  it.each([
    [5, 1e12, 1e-4],
    [5, 1e-9, 1e-4],
    [2, 10, 1e-4],
  ])(
    '%i classes, C %d, by the runtime: the optimum, with next to no penalty and with nothing else',
    async (classes, C, bound) => {
      const [n, d] = [4000, 40]
      const train = cluster(classes, n / classes, d, 3, 'many')
      const plain = plainProducts(Float64Array.from(train.x.data), n, d)
      const exact = await fitLogistic(plain, train.labels, classes, C, { stop: { distance: 1e-7 } })
      const fit = await probeAt(runtime, train, classes, C)
      expect(fit.converged).toBe(true)
      expect(distance(fit.weights, Array.from(exact.weights))).toBeLessThan(bound)
    },
  )

  it('counts the images that each fit has right, few and many', async () => {
    const train = cluster(20, 3, 40, 1.5, 'train')
    for (const perClass of [3, 700]) {
      const val = cluster(20, perClass, 40, 1.5, 'val')
      expect(isLarge(val.labels.length, 40, 20)).toBe(perClass === 700)
      const fits: Fit[] = []
      const { tried } = await searchedProbe(runtime, train, val, 20, { rounds: 0, onFit: (_, fit) => fits.push(fit) })
      for (const [k, fit] of fits.entries()) {
        const outputs = await linearOutputs(fit, val.x.data)
        const right = val.labels.filter((label, i) => {
          const row = outputs.subarray(20 * i, 20 * (i + 1))
          return row.indexOf(Math.max(...row)) === label
        })
        expect(Math.abs((tried[k]?.valAccuracy ?? 0) * val.labels.length - right.length)).toBeLessThan(2)
      }
      expect(tried[6]?.valAccuracy).toBeGreaterThan(0.5)
    }
  })

  it.each([
    ['small', 20, 16, 64],
    ['large', 20, 100, 256],
  ])('leaves the thread to others all the while: a %s one', async (_, classes, perClass, width) => {
    const [train, val] = [cluster(classes, perClass, width, 3, 'train'), cluster(classes, 4, width, 3, 'val')]
    const hold = await longestHold(() => searchedProbe(runtime, train, val, classes, { rounds: 2 }))
    expect(hold).toBeLessThan(UNNOTICED)
  })
})

/** Features as encoders give them: a mean in common, some directions far wider than others. */
function skewed(perClass: number, key: string) {
  const [classes, d] = [10, 24]
  const labels = Array.from({ length: classes * perClass }, (_, i) => i % classes)
  const x = floatTensor([labels.length, d])
  for (const [i, label] of labels.entries()) {
    const [centre, noise] = [randomFor('centre', label), randomFor(key, i)]
    for (let j = 0; j < d; j++) x.data[i * d + j] = 2 + (centre.normal() + 2 * noise.normal()) / (1 + j) ** 2
  }
  return { x, labels }
}

// lpclip/linear_probe.py with scikit-learn 1.9.1 on these features: share of the validation images right, iterations.
const OFFICIAL = new Map([
  [1e-6, [0.175, 1]],
  [1e-4, [0.15, 12]],
  [1e-2, [0.1375, 13]],
  [1, [0.15, 131]],
  [1e2, [0.2375, 1000]],
  [1e4, [0.2625, 1000]],
])

describe('the solver lpclip', () => {
  it('stops where the official fits do, and so chooses their C, which is not that of the optimum', async () => {
    const seen = new Map<number, number[]>()
    const search = (solver: Solver) =>
      searchedProbe(runtime, skewed(4, 'train'), skewed(8, 'val'), 10, {
        solver,
        onFit: ({ C, valAccuracy }, { iterations }) => void seen.set(C, [valAccuracy, iterations]),
      })
    expect((await search('exact')).C).toBe(1e5)
    seen.clear()
    expect((await search('lpclip')).C).toBe(1000)
    for (const [C, figures] of OFFICIAL) expect(seen.get(C), `C ${C}`).toEqual(figures)
  })
})

describe('rows', () => {
  it('are the mean of the views', async () => {
    const features = floatTensor([2, 2, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 9))
    expect(Array.from((await meanViews({ features, labels: [0, 1] })).x.data)).toEqual([2, 3, 6, 7.5])
  })

  it('are there for each class, or it is named', () => {
    const set = { features: floatTensor([2, 1, 3]), labels: [0, 2] }
    expect(() => checkEachClass(set, ['cat', 'dog', 'house'], 3)).toThrow(/"dog"/)
    expect(() => checkEachClass(set, ['cat', 'dog', 'a', 'b'], 3)).toThrow(/"dog" from, nor of 1 other/)
    expect(() => checkEachClass(set, ['cat', 'dog'], 3)).toThrow(/label 2/)
    expect(() => checkEachClass(set, ['cat'], 4)).toThrow(/\(2, 1, 3\)/)
  })

  it('give outputs x W^T + b', async () => {
    const model = { classes: 2, d: 2, weights: Float64Array.of(1, 0, 2, 1), intercepts: Float64Array.of(0.5, -1) }
    expect(Array.from(await linearOutputs(model, [3, 4, -1, 2]))).toEqual([3.5, 9, -0.5, -1])
  })
})
