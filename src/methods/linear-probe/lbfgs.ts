import { breathe } from '../../base/breathe.ts'
import { lineSearch } from './line-search.ts'

/** A function to minimise: writes its gradient at `x` into `gradient` and gives its value. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number | Promise<number>

export interface Point {
  readonly x: Float64Array
  readonly gradient: Float64Array
  readonly value: number
}

export interface LbfgsOptions {
  /** Whether a point is near enough to the minimum; `before` is the one that the last iteration began at. */
  readonly reached: (at: Point, before: Point | undefined) => boolean
  /** Default 1000; what is reached by then is given back. */
  readonly maxIterations?: number
  /** Steps remembered to model the curvature; default 10. */
  readonly memory?: number
  /** Relative difference of values that is rounding only: there the slope decides. Default: that of float64. */
  readonly rounding?: number
  /** Asked before each iteration. */
  readonly signal?: AbortSignal
}

export interface Minimum extends Point {
  readonly iterations: number
  readonly evaluations: number
  /** False where iterations ran out, or where rounding let no step lower the value any more. */
  readonly converged: boolean
}

/** A step taken and the change of the gradient on it: `s`, `y` and `1 / (s . y)`. */
interface Correction {
  readonly s: Float64Array
  readonly y: Float64Array
  readonly rho: number
}

/**
 * Minimises a smooth function by L-BFGS (Nocedal & Wright, Numerical Optimization, 2nd ed., algorithms 7.4 and 7.5) with
 * a line search that meets the strong Wolfe conditions; step by step as L-BFGS-B goes where there are no bounds. `start` is
 * not changed.
 */
export async function minimise(objective: Objective, start: Float64Array, options: LbfgsOptions): Promise<Minimum> {
  const { reached, maxIterations = 1000, memory = 10, rounding = 1e-15, signal } = options
  let evaluations = 0
  const evaluate = async (x: Float64Array): Promise<Point> => {
    evaluations++
    const gradient = new Float64Array(x.length)
    return { x, gradient, value: await objective(x, gradient) }
  }
  let at = await evaluate(start.slice())
  let before: Point | undefined
  let corrections: Correction[] = []
  let iterations = 0
  for (; iterations < maxIterations && !reached(at, before); iterations++) {
    signal?.throwIfAborted()
    const from = at
    const direction = await descentDirection(at.gradient, corrections)
    const along = async (step: number) => {
      const x = from.x.slice()
      addScaled(x, step, direction)
      const point = await evaluate(x)
      return { ...point, step, slope: dot(point.gradient, direction) }
    }
    const start = { value: at.value, step: 0, slope: dot(at.gradient, direction) }
    const first = corrections.length > 0 ? 1 : 1 / norm(at.gradient)
    const next = await lineSearch(along, start, first, rounding)
    if (next === undefined) {
      if (corrections.length === 0) break
      corrections = [] // a model of the curvature that leads nowhere: try steepest descent once
      continue
    }
    const s = difference(next.x, at.x)
    const y = difference(next.gradient, at.gradient)
    const curvature = dot(s, y)
    if (curvature > 0) corrections = [...corrections, { s, y, rho: 1 / curvature }].slice(-memory)
    before = at
    at = next
  }
  return { ...at, iterations, evaluations, converged: reached(at, before) }
}

/** -H g, H the inverse Hessian as the last steps show it: the two-loop recursion, algorithm 7.4. */
async function descentDirection(gradient: Float64Array, corrections: readonly Correction[]): Promise<Float64Array> {
  const q = gradient.map((g) => -g)
  const alphas: number[] = []
  for (const { s, y, rho } of corrections.toReversed()) {
    const alpha = rho * dot(s, q)
    alphas.push(alpha)
    addScaled(q, -alpha, y)
    await breathe()
  }
  const last = corrections.at(-1)
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y)) // (s . y) / (y . y)
    for (let i = 0; i < q.length; i++) q[i]! *= scale
  }
  for (const { s, y, rho } of corrections) {
    const beta = rho * dot(y, q)
    addScaled(q, (alphas.pop() ?? 0) - beta, s)
    await breathe()
  }
  return q
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Euclidean length. */
export function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a))
}

/** a += factor b */
export function addScaled(a: Float64Array, factor: number, b: Float64Array): void {
  for (let i = 0; i < a.length; i++) a[i]! += factor * b[i]!
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((x, i) => x - b[i]!)
}
