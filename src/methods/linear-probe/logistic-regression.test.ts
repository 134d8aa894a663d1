import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CoopError } from '../../base/errors.ts'
import { randomFor } from '../../base/random.ts'
import { distance } from '../../testing/distance.ts'
import { plainSolver } from './conjugate-gradients.ts'
import { norm } from './lbfgs.ts'
import { fitLogistic, logisticObjective } from './logistic-regression.ts'
import { type NewtonOptions, newtonFit, type Problem } from './newton.ts'
import { plainProducts } from './products.ts'

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
