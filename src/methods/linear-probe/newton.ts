import { breathe, breathing } from '../../base/breathe.ts'
import { addScaled, dot, norm } from './lbfgs.ts'
import type { LinearModel } from './linear-model.ts'
import { checkLabels, crossEntropy, type Fit, modelOf, outputsOf, rowsOf, variablesOf } from './logistic-regression.ts'
import type { Products } from './products.ts'

export interface NewtonOptions {
  /** The weights are no farther from the optimum than this share of their length; default 1e-4. */
  readonly distance?: number
  /** Or the last step lowered the objective by no more than this share of it; default 1e-7. */
  readonly decrease?: number
  /** Newton steps; default 1000. */
  readonly maxIterations?: number
  /** Where to begin; default: zeros. The optimum is the same. */
  readonly from?: LinearModel
  readonly signal?: AbortSignal
}

/** A step is solved no nearer than this many conjugate gradients get. */
const MAX_GRADIENTS = 500
const MAX_HALVINGS = 30
/** Sufficient decrease, as share of what the slope promises. */
const DECREASE = 1e-4

/** Weights `(rows, d)` followed by intercepts `(rows)`, and what the objective is there. */
interface Place {
  readonly x: Float64Array
  /** `(n, rows)`, with intercepts. */
  readonly outputs: Float64Array
  /** (softmax - onehot) / n, `(n, rows)`. */
  readonly residuals: Float64Array
  readonly value: number
}

/**
 * The optimum of fitLogistic for rows along their principal axes, by Newton steps that conjugate gradients solve
 * (Nocedal & Wright, Numerical Optimization, 2nd ed., algorithm 7.1), preconditioned by the curvature of each class along
 * each axis. A step is the same number of products as several of L-BFGS; but at large C, where few images bend the
 * objective, tens of steps do what takes L-BFGS a thousand. Outputs along a step are known once it is solved, so that
 * halving it takes no product.
 *
 * @param squares sum of the squares of the coordinates along each axis
 */
export async function newtonFit(
  products: Products,
  squares: Float64Array,
  labels: readonly number[],
  classes: number,
  C: number,
  { distance = 1e-4, decrease = 1e-7, maxIterations = 1000, from, signal }: NewtonOptions = {},
): Promise<Fit> {
  const { n, d } = products
  const rows = rowsOf(classes)
  checkLabels(labels, n, classes)
  const penalty = 1 / (C * n)
  const weightsOf = (x: Float64Array) => x.subarray(0, rows * d)

  const placeAt = async (x: Float64Array, outputs: Float64Array): Promise<Place> => {
    const { loss, residuals } = await crossEntropy(outputs.slice(), rows, labels)
    return { x, outputs, residuals, value: loss + (penalty / 2) * norm(weightsOf(x)) ** 2 }
  }
  /** Derivative by x of what has the derivative `residuals` by the outputs, and the penalty's. */
  const derivative = async (residuals: Float64Array, x: Float64Array): Promise<Float64Array> => {
    const g = new Float64Array(x.length)
    g.set(await products.gradient(residuals, rows))
    for (let k = 0; k < rows * d; k++) g[k]! += penalty * x[k]!
    g.set(columnSums(residuals, rows), rows * d)
    await breathe()
    return g
  }

  const start = from ? variablesOf(from) : new Float64Array(rows * (d + 1))
  let at = await placeAt(start, await outputsOf(products, start, rows))
  let gradient = await derivative(at.residuals, at.x)
  let first: number | undefined
  let iterations = 0
  let converged = false
  for (; ; iterations++) {
    const near = distance * penalty * norm(weightsOf(at.x)) // the penalty alone curves the objective by `penalty`
    converged ||= norm(gradient) <= near
    if (converged || iterations >= maxIterations) break
    signal?.throwIfAborted()
    const inverse = inverseCurvature(at.residuals, squares, rows, n, penalty)
    first ??= scaledNorm(gradient, inverse)
    const share = Math.min(0.5, Math.sqrt(scaledNorm(gradient, inverse) / first))
    const step = await solved(gradient, inverse, share, near)
    const next = await lowered(step)
    if (next === undefined) break
    converged = at.value - next.value <= decrease * at.value
    at = next
    gradient = await derivative(at.residuals, at.x)
  }
  return { ...modelOf(centred(at.x, rows), classes, d), iterations, converged }

  /** H s = -g up to a share of g, or to a third of what is near enough; with the outputs of s. */
  async function solved(g: Float64Array, inverse: Float64Array, share: number, near: number) {
    const s = new Float64Array(g.length)
    const outputs = new Float64Array(n * rows)
    const rest = g.map((v) => -v)
    const direction = rest.map((v, k) => v * inverse[k]!)
    let length = scaledNorm(rest, inverse)
    const enough = share * length
    for (let k = 0; k < MAX_GRADIENTS; k++) {
      signal?.throwIfAborted()
      const along = await outputsOf(products, direction, rows)
      const bent = await derivative(await curved(along, at.residuals, labels, rows), direction)
      const curvature = dot(direction, bent)
      if (!(curvature > 0)) break
      const size = length ** 2 / curvature
      addScaled(s, size, direction)
      addScaled(outputs, size, along)
      addScaled(rest, -size, bent)
      await breathe()
      const before = length
      length = scaledNorm(rest, inverse)
      if (length <= enough || norm(rest) <= near / 3) break
      const keep = (length / before) ** 2
      for (let j = 0; j < direction.length; j++) direction[j] = rest[j]! * inverse[j]! + keep * direction[j]!
      await breathe()
    }
    return { s, outputs }
  }

  /** The step, halved until it lowers the objective; undefined where rounding lets none. */
  async function lowered({ s, outputs }: { s: Float64Array; outputs: Float64Array }): Promise<Place | undefined> {
    const slope = dot(gradient, s)
    for (let k = 0, size = 1; k < MAX_HALVINGS; k++, size /= 2) {
      const [x, moved] = [at.x.slice(), at.outputs.slice()]
      addScaled(x, size, s)
      addScaled(moved, size, outputs)
      await breathe()
      const place = await placeAt(x, moved)
      if (place.value <= at.value + DECREASE * size * slope + 1e-15 * at.value) return place
    }
    return undefined
  }
}

/**
 * The change of the residuals when the outputs change by u: p_c (u_c - sum_k p_k u_k) / n. Taken from the image's own
 * class, u_c - u_y, nothing cancels where softmax is nearly 1.
 */
async function curved(
  u: Float64Array,
  residuals: Float64Array,
  labels: readonly number[],
  rows: number,
): Promise<Float64Array> {
  const n = labels.length
  const change = new Float64Array(n * rows)
  const single = rows === 1 // of two classes the first has output 0
  await breathing(n, (i) => {
    const at = i * rows
    const own = at + labels[i]! - (single ? 1 : 0)
    const zero = own >= at ? u[own]! : 0
    let mean = single && own >= at ? residuals[own]! * n * zero : 0
    for (let k = at; k < at + rows; k++) if (k !== own) mean += residuals[k]! * n * (u[k]! - zero)
    for (let k = at; k < at + rows; k++) change[k] = residuals[k]! * (u[k]! - zero - mean)
    if (own >= at) change[own] = -(1 / n + residuals[own]!) * mean
  })
  return change
}

/** One over the mean curvature by the outputs of each class, p (1 - p), times that of each axis, plus the penalty's. */
function inverseCurvature(
  residuals: Float64Array,
  squares: Float64Array,
  rows: number,
  n: number,
  penalty: number,
): Float64Array {
  const d = squares.length
  const inverse = new Float64Array(rows * (d + 1))
  const curvatures = columnSums(
    residuals.map((r) => Math.abs(r) * (1 - n * Math.abs(r))),
    rows,
  )
  for (const [c, curvature] of curvatures.entries()) {
    for (let j = 0; j < d; j++) inverse[c * d + j] = 1 / ((curvature * squares[j]!) / n + penalty)
    inverse[rows * d + c] = 1 / Math.max(curvature, penalty)
  }
  return inverse
}

/** Sum over n of `(n, rows)`. */
function columnSums(values: Float64Array, rows: number): Float64Array {
  const sums = new Float64Array(rows)
  for (let at = 0; at < values.length; at += rows) for (let c = 0; c < rows; c++) sums[c]! += values[at + c]!
  return sums
}

/** Of several rows a number added to all intercepts changes nothing: their mean is 0, as scikit-learn's. */
function centred(x: Float64Array, rows: number): Float64Array {
  if (rows === 1) return x
  const intercepts = x.subarray(x.length - rows)
  const mean = intercepts.reduce((a, b) => a + b) / rows
  return x.map((v, k) => (k < x.length - rows ? v : v - mean))
}

function scaledNorm(v: Float64Array, scale: Float64Array): number {
  let sum = 0
  for (let k = 0; k < v.length; k++) sum += v[k]! * v[k]! * scale[k]!
  return Math.sqrt(sum)
}
