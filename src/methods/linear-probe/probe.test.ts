import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CoopError } from '../../base/errors.ts'
import { randomFor } from '../../base/random.ts'
import { floatTensor } from '../../graph/tensor.ts'
import { checkEachClass, meanViews } from '../../learning/labelled-rows.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import type { Runtime } from '../../runtime/types.ts'
import { longestHold, UNNOTICED } from '../../testing/ticks.ts'
import { plainSolver } from './conjugate-gradients.ts'
import { norm } from './lbfgs.ts'
import { linearOutputs } from './linear-model.ts'
import { crossEntropy, type Fit, fitLogistic, logisticObjective } from './logistic-regression.ts'
import { type NewtonOptions, newtonFit, type Problem } from './newton.ts'
import { fitsOfSearch, probeAt, type Solver, searchedProbe, searchLogC } from './probe.ts'
import { isLarge, matrixProduct, plainProducts, runtimeProducts } from './products.ts'
import { runtimeSolver, sharedSolver } from './runtime-solver.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const numbers = z.array(z.number())
/** scikit-learn 1.9's fits, converged and stopped early, of three classes and of two. */
const problems = z
  .array(
    z.object({
      classes: z.int(),
      d: z.int(),
      x: numbers,
      labels: numbers,
      fits: z.array(
        z.object({
          C: z.number(),
          coef: z.array(numbers),
          intercept: numbers,
          early: z.object({ tol: z.number(), coef: z.array(numbers), iterations: z.int() }),
        }),
      ),
    }),
  )
  .parse(JSON.parse(readFileSync(new URL('fixtures/logistic-regression.json', import.meta.url), 'utf8')))

const productsOf = ({ x, d }: { x: readonly number[]; d: number }) =>
  plainProducts(Float64Array.from(x), x.length / d, d)

function distance(a: ArrayLike<number>, b: readonly number[]): number {
  expect(a).toHaveLength(b.length)
  return Math.max(...b.map((x, i) => Math.abs(x - a[i]!))) / Math.max(...b.map(Math.abs))
}

describe('logistic regression', () => {
  for (const problem of problems) {
    const { classes, d, labels } = problem
    const first = classes === 2 ? 1 : 0 // two classes have a single row, that of the second

    it.each(problem.fits)(`of ${classes} classes, C $C: scikit-learn's optimum`, async ({ C, coef, intercept }) => {
      const fit = await fitLogistic(productsOf(problem), labels, classes, C, { stop: { distance: 1e-7 } })
      expect(fit.converged).toBe(true)
      expect(distance(fit.weights.subarray(first * d), coef.flat())).toBeLessThan(1e-4)
      expect(distance(fit.intercepts.subarray(first), intercept)).toBeLessThan(1e-3)
      if (first === 1) expect([...fit.weights.subarray(0, d), fit.intercepts[0]].every((x) => x === 0)).toBe(true)
    })

    it.each(problem.fits)(`of ${classes} classes, C $C: the same when stopped as early`, async ({ C, early }) => {
      const fit = await fitLogistic(productsOf(problem), labels, classes, C, { stop: { gradient: early.tol } })
      expect(fit.iterations).toBe(early.iterations)
      expect(distance(fit.weights.subarray(first * d), early.coef.flat())).toBeLessThan(1e-9)
    })
  }

  it('has the gradient of its objective', async () => {
    for (const { classes, d, labels, ...problem } of problems) {
      const rows = classes === 2 ? 1 : classes
      const objective = logisticObjective(productsOf({ ...problem, d }), labels, rows, 0.7)
      const random = randomFor('point', classes)
      const x = Float64Array.from({ length: rows * (d + 1) }, () => random.normal())
      const gradient = new Float64Array(x.length)
      await objective(x, gradient)
      const h = 1e-6
      for (let i = 0; i < x.length; i++) {
        const at = (step: number) =>
          objective(
            x.map((v, j) => (i === j ? v + step : v)),
            new Float64Array(x.length),
          )
        expect(((await at(h)) - (await at(-h))) / (2 * h)).toBeCloseTo(gradient[i]!, 7)
      }
    }
  })

  it('says so when iterations ran out', async () => {
    const [problem] = problems
    if (!problem) throw new Error('the fixture has problems')
    const fit = await fitLogistic(productsOf(problem), problem.labels, problem.classes, 100, { maxIterations: 2 })
    expect([fit.converged, fit.iterations]).toEqual([false, 2])
  })

  it('refuses classes without rows, and labels that are none', async () => {
    const products = plainProducts(Float64Array.of(1, 2, 3), 3, 1)
    await expect(fitLogistic(products, [0, 1, 1], 3, 1)).rejects.toThrow(/2 of 3 classes/)
    await expect(fitLogistic(products, [0, 0, 0], 1, 1)).rejects.toThrow(CoopError)
    await expect(fitLogistic(products, [0, 1, 2], 2, 1)).rejects.toThrow(/labels from 0 to 1/)
    await expect(fitLogistic(products, [0, 1], 2, 1)).rejects.toThrow(/3 rows/)
  })
})

interface Rows {
  readonly classes: number
  readonly d: number
  readonly x: readonly number[]
  readonly labels: readonly number[]
}

/** What newtonFit takes of rows as they are. */
function newtonProblem({ classes, d, x, labels }: Rows): Problem {
  const rows = x.flatMap((v, k) => (k % d === d - 1 ? [v, 1] : [v]))
  const products = productsOf({ x: rows, d: d + 1 })
  const squares = new Float64Array(d + 1)
  for (const [k, v] of rows.entries()) squares[k % (d + 1)]! += v * v
  return { products, solver: plainSolver(products, labels, classes), squares, labels, classes }
}

describe('Newton steps', () => {
  const EXACT = { distance: 1e-8, decrease: 0 }
  for (const { classes, d, x, labels, fits } of problems) {
    const first = classes === 2 ? 1 : 0
    const problem = newtonProblem({ classes, d, x, labels })
    const fitAt = (C: number, options: NewtonOptions = EXACT) => newtonFit(problem, C, options)

    it.each(fits)(`of ${classes} classes, C $C: scikit-learn's optimum`, async ({ C, coef, intercept }) => {
      const fit = await fitAt(C)
      expect(fit.converged).toBe(true)
      expect(fit.iterations).toBeLessThan(30)
      expect(distance(fit.weights.subarray(first * d), coef.flat())).toBeLessThan(1e-4)
      expect(distance(fit.intercepts.subarray(first), intercept)).toBeLessThan(1e-3)
    })

    it(`of ${classes} classes end at the same place from wherever they begin`, async () => {
      const cold = await fitAt(1)
      const warm = await fitAt(1, { ...EXACT, from: [await fitAt(1e4)] })
      expect(distance(warm.weights, Array.from(cold.weights))).toBeLessThan(1e-7)
      expect(distance(warm.intercepts, Array.from(cold.intercepts))).toBeLessThan(1e-6)
    })

    it(`of ${classes} classes say so when iterations ran out, and stop when told to`, async () => {
      const { converged, iterations } = await fitAt(100, { ...EXACT, maxIterations: 2 })
      expect([converged, iterations]).toEqual([false, 2])
      await expect(fitAt(1, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
    })
  }

  it('end where the gradient is gone, whatever the rows and the penalty', async () => {
    const cases = fc.record({
      classes: fc.integer({ min: 2, max: 5 }),
      perClass: fc.integer({ min: 1, max: 5 }),
      d: fc.integer({ min: 1, max: 6 }),
      spread: fc.constantFrom(0.1, 1, 10),
      logC: fc.integer({ min: -6, max: 6 }),
      key: fc.nat(),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ classes, perClass, d, spread, logC, key }) => {
        const random = randomFor('case', key)
        const labels = Array.from({ length: classes * perClass }, (_, i) => i % classes)
        const x = labels.flatMap((label) =>
          Array.from({ length: d }, (_, j) => (label + 1) ** j / 100 + spread * random.normal()),
        )
        const C = 10 ** logC
        const fit = await newtonFit(newtonProblem({ classes, d, x, labels }), C, EXACT)
        const rows = classes === 2 ? 1 : classes
        const [weights, intercepts] = [
          fit.weights.subarray((classes - rows) * d),
          fit.intercepts.subarray(classes - rows),
        ]
        const gradient = new Float64Array(rows * (d + 1))
        await logisticObjective(
          productsOf({ x, d }),
          labels,
          rows,
          C,
        )(Float64Array.of(...weights, ...intercepts), gradient)
        // the penalty alone curves the objective by 1 / (C n): so near are the weights to the optimum
        expect(norm(gradient)).toBeLessThan((1e-4 * norm(weights)) / (C * labels.length) + 1e-9)
      }),
    )
  })
})

/** Rows around a centre for each class. */
function cluster(classes: number, perClass: number, d: number, spread: number, key: string) {
  const labels = Array.from({ length: classes * perClass }, (_, i) => i % classes)
  const x = floatTensor([labels.length, d])
  for (const [i, label] of labels.entries()) {
    const [centre, noise] = [randomFor('centre', label), randomFor(key, i)]
    for (let j = 0; j < d; j++) x.data[i * d + j] = centre.normal() + spread * noise.normal()
  }
  return { x, labels }
}

describe('products', () => {
  it('of the runtime are those of this thread', async () => {
    const { x } = cluster(3, 4, 7, 1, 'products')
    const plain = plainProducts(Float64Array.from(x.data), 12, 7)
    const other = await runtimeProducts(runtime, x, 5)
    const random = randomFor('operands')
    const weights = Float64Array.from({ length: 35 }, () => random.normal())
    const residuals = Float64Array.from({ length: 60 }, () => random.normal())
    const outputs = await other.outputs(weights, 5)
    const gradient = await other.gradient(residuals, 5)
    await other.dispose()
    expect(distance(outputs, Array.from(await plain.outputs(weights, 5)))).toBeLessThan(1e-6)
    expect(distance(gradient, Array.from(await plain.gradient(residuals, 5)))).toBeLessThan(1e-6)
  })

  it('solve for the step that takes the gradient away, in both threads', async () => {
    const { x, labels } = cluster(5, 4, 7, 1, 'step')
    const plain = plainProducts(Float64Array.from(x.data), 20, 7)
    const random = randomFor('weights')
    const weights = Float64Array.from({ length: 35 }, () => random.normal() / 2)
    const penalties = new Float64Array(7).fill(0.1)
    const at = async (w: Float64Array) => {
      const { residuals } = await crossEntropy(await plain.outputs(w, 5), 5, labels)
      return { residuals, gradient: (await plain.gradient(residuals, 5)).map((g, k) => g + 0.1 * w[k]!) }
    }
    const { residuals, gradient } = await at(weights)
    const probabilities = residuals.map((r, k) => (k % 5 === labels[Math.floor(k / 5)] ? r + 1 / 20 : r))
    const inverse = Float64Array.from({ length: 35 }, (_, k) => 1 + (k % 3))
    const other = await runtimeSolver(runtime, x, labels, 5)
    // the rows of the system among others, in the second of three slots
    const wider = floatTensor(
      [26, 7],
      Float32Array.from({ length: 182 }, (_, k) => x.data[k - 42] ?? random.normal()),
    )
    const shared = await sharedSolver(runtime, wider, [0, 1, 2, 3, 4, 0, ...labels], 5, 3)
    const before = await shared.open([0, 1, 2, 3, 4, 5])
    const among = await shared.open(Array.from(labels, (_, i) => i + 6))
    await before.dispose()
    for (const [solver, bound] of [
      [plainSolver(plain, labels, 5), 1e-6],
      [other, 1e-4],
      [among, 1e-4],
    ] as const) {
      const enough = (scaled: number) => scaled <= bound / 100
      const step = await solver.solve({ probabilities, gradient, penalties, inverse }, enough)
      const [before, after] = [-1e-5, 1e-5].map((size) => at(weights.map((w, k) => w + size * step[k]!)))
      const [low, high] = [(await before!).gradient, (await after!).gradient]
      const change = high.map((g, k) => (g - low[k]!) / 2e-5)
      expect(
        distance(
          change.map((g) => -g),
          Array.from(gradient),
        ),
      ).toBeLessThan(bound)
    }
    await other.dispose()
    await among.dispose()
    await shared.dispose()
  })

  it('in one run for all that ask at a time, each as if alone, and more than there is room for one after the other', async () => {
    const { x, labels } = cluster(5, 4, 7, 1, 'shared')
    const plain = plainProducts(Float64Array.from(x.data), 20, 7)
    const systems = await Promise.all(
      [1, 2, 3, 4].map(async (factor) => {
        const random = randomFor('shared', factor)
        const outputs = await plain.outputs(
          Float64Array.from({ length: 35 }, () => random.normal()),
          5,
        )
        const { residuals } = await crossEntropy(outputs, 5, labels)
        return {
          probabilities: residuals.map((r, k) => (k % 5 === labels[Math.floor(k / 5)] ? r + 1 / 20 : r)),
          gradient: (await plain.gradient(residuals, 5)).map((g) => factor * g),
          penalties: new Float64Array(7).fill(0.1 * factor),
          inverse: new Float64Array(35).fill(1),
        }
      }),
    )
    const solved = async (slots: number) => {
      const shared = await sharedSolver(runtime, x, labels, 5, slots)
      const steps = await Promise.all(
        systems.map(async (system) => {
          const solver = await shared.open(Array.from(labels.keys()))
          return solver.solve(system, (scaled) => scaled <= 1e-7).finally(() => solver.dispose())
        }),
      )
      await shared.dispose()
      return steps
    }
    const [alone, together] = [await solved(1), await solved(3)]
    for (const [i, step] of together.entries()) {
      expect(distance(step, Array.from(alone[i]!))).toBeLessThan(1e-5)
      const exact = await plainSolver(plain, labels, 5).solve(systems[i]!, (scaled) => scaled <= 1e-9)
      expect(distance(step, Array.from(exact))).toBeLessThan(1e-4)
    }
  })

  it('of matrices are the sums that they are, small and large', async () => {
    for (const sizes of [
      [3, 5, 4],
      [220, 230, 240],
    ] as const) {
      const [n, m, d] = sizes
      const random = randomFor('matrices', n)
      const a = Float64Array.from({ length: n * m }, () => random.normal())
      const b = Float64Array.from({ length: m * d }, () => random.normal())
      const expected = Array.from({ length: n * d }, (_, at) => {
        const [i, j] = [Math.floor(at / d), at % d]
        let sum = 0
        for (let k = 0; k < m; k++) sum += a[i * m + k]! * b[k * d + j]!
        return sum
      })
      const bound = isLarge(n, m, d) ? 1e-6 : 1e-14
      expect(distance(await matrixProduct(runtime, a, b, sizes), expected)).toBeLessThan(bound)
    }
    expect([isLarge(3, 5, 4), isLarge(220, 230, 240)]).toEqual([false, true])
  })
})

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
