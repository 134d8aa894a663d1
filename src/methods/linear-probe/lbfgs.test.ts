import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { minimise, norm, type Objective } from './lbfgs.ts'
import { lineSearch } from './line-search.ts'

const below = (tolerance: number) => ({
  reached: ({ gradient }: { gradient: Float64Array }) => norm(gradient) <= tolerance,
})

/** sum_i 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2: a curved valley; the minimum is at ones. */
const rosenbrock: Objective = (x, gradient) => {
  gradient.fill(0)
  let value = 0
  for (let i = 0; i + 1 < x.length; i++) {
    const [a = 0, b = 0] = x.subarray(i)
    const across = b - a * a
    value += 100 * across ** 2 + (1 - a) ** 2
    gradient[i]! += -400 * a * across - 2 * (1 - a)
    gradient[i + 1]! += 200 * across
  }
  return value
}

/** sum_i k_i (x_i - c_i)^2 / 2 + value */
const quadratic =
  (curvatures: readonly number[], centre: readonly number[], value = 0): Objective =>
  (x, gradient) =>
    curvatures.reduce((sum, k, i) => {
      const away = x[i]! - centre[i]!
      gradient[i] = k * away
      return sum + (k / 2) * away * away
    }, value)

/** Beale: flat far out, one minimum at (3, 1/2). */
const beale: Objective = ([x = 0, y = 0], gradient) => {
  const terms = [1.5, 2.25, 2.625].map((c, i) => ({ t: c - x + x * y ** (i + 1), i }))
  gradient[0] = terms.reduce((sum, { t, i }) => sum + 2 * t * (y ** (i + 1) - 1), 0)
  gradient[1] = terms.reduce((sum, { t, i }) => sum + 2 * t * x * (i + 1) * y ** i, 0)
  return terms.reduce((sum, { t }) => sum + t * t, 0)
}

const coordinate = fc.double({ min: -3, max: 3, noNaN: true })

describe('L-BFGS', () => {
  it('goes to the end of the valley of Rosenbrock, from anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(coordinate, coordinate, async (x, y) => {
        const found = await minimise(rosenbrock, Float64Array.of(x, y), below(1e-9))
        expect(found.converged).toBe(true)
        for (const value of found.x) expect(value).toBeCloseTo(1, 8)
        expect(found.evaluations).toBeLessThan(200)
      }),
    )
  })

  it('finds a minimum of Rosenbrock in fifty dimensions', async () => {
    const found = await minimise(rosenbrock, new Float64Array(50).fill(-1.2), below(1e-8))
    expect(found.converged).toBe(true)
    expect(found.value).toBeLessThan(1e-16)
  })

  it('finds the minimum of Beale', async () => {
    const found = await minimise(beale, Float64Array.of(1, 1), below(1e-9))
    expect(found.converged).toBe(true)
    expect(found.x[0]).toBeCloseTo(3, 8)
    expect(found.x[1]).toBeCloseTo(0.5, 8)
  })

  it('finds the minimum of ill-conditioned quadratics, also where rounding hides the decrease', async () => {
    const axis = fc.record({
      power: fc.double({ min: -3, max: 3, noNaN: true }),
      centre: fc.integer({ min: -3000, max: 3000 }).map((c) => c / 1000),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(axis, { minLength: 1, maxLength: 8 }), fc.constantFrom(0, 1e3), async (axes, value) => {
        const curvatures = axes.map(({ power }) => 10 ** power)
        const centre = axes.map((each) => each.centre)
        const first = Math.hypot(...curvatures.map((k, i) => k * centre[i]!))
        const start = new Float64Array(axes.length)
        const found = await minimise(quadratic(curvatures, centre, value), start, below(1e-8 * first))
        expect(found.converged).toBe(true)
      }),
    )
  })

  it('never ends higher than it began, whatever the limit', async () => {
    await fc.assert(
      fc.asyncProperty(coordinate, coordinate, fc.integer({ min: 0, max: 30 }), async (x, y, maxIterations) => {
        const start = Float64Array.of(x, y)
        const found = await minimise(rosenbrock, start, { ...below(0), maxIterations })
        expect(found.value).toBeLessThanOrEqual(await rosenbrock(start, new Float64Array(2)))
        expect(found.iterations).toBeLessThanOrEqual(maxIterations)
        expect(Array.from(start)).toEqual([x, y])
      }),
    )
  })

  it('waits for a function that computes elsewhere, and gives the same', async () => {
    const elsewhere: Objective = async (x, gradient) => {
      await Promise.resolve()
      return rosenbrock(x, gradient)
    }
    const start = Float64Array.of(-1.2, 1)
    expect(await minimise(elsewhere, start, below(1e-9))).toEqual(await minimise(rosenbrock, start, below(1e-9)))
  })

  it('backs off where the function is no number', async () => {
    const logarithm: Objective = ([x = 0], gradient) => {
      gradient[0] = 1 - 1 / x
      return x - Math.log(x) // minimum at 1, none below 0
    }
    const found = await minimise(logarithm, Float64Array.of(30), below(1e-10))
    expect(found.x[0]).toBeCloseTo(1, 9)
  })

  it('stops when told to', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(minimise(rosenbrock, Float64Array.of(0, 0), { ...below(0), signal })).rejects.toThrow('enough')
  })
})

describe('the line search', () => {
  const start = { step: 0, value: 0, slope: -1 }

  it('meets both Wolfe conditions on rough lines, whatever the first step', async () => {
    const bumps = fc.record({
      depth: fc.double({ min: 0.1, max: 5, noNaN: true }),
      waves: fc.integer({ min: 0, max: 6 }),
    })
    await fc.assert(
      fc.asyncProperty(bumps, fc.double({ min: 1e-3, max: 50, noNaN: true }), async ({ depth, waves }, first) => {
        // a parabola with its minimum at `depth`, and waves on it
        const at = async (t: number) => ({
          step: t,
          value: -t + (t * t) / (2 * depth) + 0.05 * (1 - Math.cos(waves * t)),
          slope: -1 + t / depth + 0.05 * waves * Math.sin(waves * t),
        })
        const found = await lineSearch(at, start, first, 1e-15)
        expect(found).toBeDefined()
        const { step, value, slope } = found ?? { ...start, slope: Number.NaN }
        expect(value).toBeLessThanOrEqual(-1e-3 * step)
        expect(Math.abs(slope)).toBeLessThanOrEqual(0.9)
      }),
    )
  })

  it('gives up on a line that only falls, and on one that only rises', async () => {
    const falls = await lineSearch(async (step) => ({ step, value: -step, slope: -1 }), start, 1, 0)
    const rises = await lineSearch(async (step) => ({ step, value: step, slope: -1 }), start, 1, 0)
    expect([falls, rises]).toEqual([undefined, undefined])
  })
})
