import { breathe, breathing } from '../../base/breathe.ts'
import { countOf } from '../../base/count.ts'
import { CoopError } from '../../base/errors.ts'
import { minimise, norm, type Point } from './lbfgs.ts'
import type { LinearModel } from './linear-model.ts'
import type { Products } from './products.ts'

export interface Fit extends LinearModel {
  readonly iterations: number
  readonly converged: boolean
}

/** Where a fit is near enough; where both are given, the first that is reached ends it. */
export interface Stop {
  /** The weights are no farther from the optimum than this share of their length. */
  readonly distance?: number
  /** No entry of the gradient of the objective divided by n is larger (scikit-learn's `tol`). */
  readonly gradient?: number
  /** The last iteration lowered the objective by no more than this share of it. */
  readonly decrease?: number
  /** The last iteration lowered the objective divided by n by no more than this. */
  readonly drop?: number
}

export interface FitOptions {
  /** Default: distance 1e-4. */
  readonly stop?: Stop
  /** Default 1000. */
  readonly maxIterations?: number
  /**
   * Rows of weights: one a class, or for two classes a single one. Default: as scikit-learn has it, a single one for two
   * classes. The penalty makes these different models.
   */
  readonly rows?: number
  /**
   * Lengths `(d)` by which the columns of the weights are divided while the minimum is sought, and one for the intercepts:
   * the minimum is the same, and the search short where they make it round. Default: none.
   */
  readonly scales?: { readonly columns: Float64Array; readonly intercepts: number }
  /** Relative rounding of the products; default that of float64. */
  readonly rounding?: number
  /** Where to begin; default: zeros. The optimum is the same. */
  readonly from?: LinearModel
  readonly signal?: AbortSignal
}

/**
 * Multinomial logistic regression with an L2 penalty on the weights and none on the intercepts, scikit-learn's
 * LogisticRegression(C): minimises
 *
 *     sum_i -log softmax(W x_i + b)[y_i]  +  |W|^2 / (2 C)
 *
 * With a single row the first of two classes has weights and intercept 0.
 *
 * @param labels class of each row, 0..classes-1, each there at least once: without a penalty on the intercepts there is
 * no optimum otherwise
 */
export async function fitLogistic(
  products: Products,
  labels: readonly number[],
  classes: number,
  C: number,
  options: FitOptions = {},
): Promise<Fit> {
  const { n, d } = products
  const { rows = rowsOf(classes), stop = { distance: 1e-4 }, from, scales, ...rest } = options
  checkLabels(labels, n, classes)
  const penalty = 1 / (C * n)
  const size = rows * d
  const start = new Float64Array(size + rows)
  if (from) {
    start.set(from.weights.subarray((classes - rows) * d))
    start.set(from.intercepts.subarray(classes - rows), size)
  }
  const { distance = 0, gradient: largest = 0, decrease = 0, drop = 0 } = stop
  const problem = logisticObjective(products, labels, rows, C)
  const { objective, toScaled, fromScaled, gradientOf } = scaled(problem, scaleOf(rows, d, scales))
  // The penalty alone curves the objective by `penalty`, so that |W - optimum| <= |gradient| / penalty.
  const reached = (at: Point, before: Point | undefined) => {
    if (before && before.value - at.value <= Math.max(decrease * before.value, drop)) return true
    const gradient = gradientOf(at.gradient)
    const length = norm(fromScaled(at.x).subarray(0, size))
    return norm(gradient) <= distance * penalty * length || gradient.every((g) => Math.abs(g) <= largest)
  }
  const found = await minimise(objective, toScaled(start), { reached, ...rest })
  const { iterations, converged } = found
  const x = fromScaled(found.x)

  const weights = new Float64Array(classes * d)
  weights.set(x.subarray(0, size), (classes - rows) * d)
  const intercepts = new Float64Array(classes)
  intercepts.set(x.subarray(size), classes - rows)
  return { classes, d, weights, intercepts, iterations, converged }
}

/** The scale of each entry of weights `(rows, d)` followed by intercepts `(rows)`. */
function scaleOf(rows: number, d: number, scales: FitOptions['scales']): Float64Array {
  const scale = new Float64Array(rows * d + rows).fill(scales?.intercepts ?? 1)
  for (let c = 0; c < rows; c++) scale.set(scales?.columns ?? new Float64Array(d).fill(1), c * d)
  return scale
}

/** The objective over x / scale, entry by entry, and the way there and back. */
function scaled(objective: AsyncObjective, scale: Float64Array) {
  const fromScaled = (v: Float64Array) => v.map((value, i) => value * scale[i]!)
  const toScaled = (x: Float64Array) => x.map((value, i) => value / scale[i]!)
  return {
    fromScaled,
    toScaled,
    gradientOf: toScaled,
    async objective(v: Float64Array, gradient: Float64Array) {
      const value = await objective(fromScaled(v), gradient)
      for (let i = 0; i < gradient.length; i++) gradient[i]! *= scale[i]!
      return value
    },
  }
}

type AsyncObjective = (x: Float64Array, gradient: Float64Array) => Promise<number>

/** What is minimised, divided by n; of weights `(rows, d)` followed by intercepts `(rows)`. */
export function logisticObjective(
  products: Products,
  labels: readonly number[],
  rows: number,
  C: number,
): AsyncObjective {
  const { n, d } = products
  const penalty = 1 / (C * n)
  const size = rows * d
  return async (x, gradient) => {
    const weights = x.subarray(0, size)
    const outputs = await products.outputs(weights, rows)
    await breathe()
    const { loss, residuals, sums } = await crossEntropy(outputs, x.subarray(size), labels)
    gradient.set(await products.gradient(residuals, rows))
    gradient.set(sums, size)
    for (let i = 0; i < size; i++) gradient[i]! += penalty * weights[i]!
    await breathe()
    return loss + (penalty / 2) * norm(weights) ** 2
  }
}

/** Mean of p (1 - p) over rows and classes, the curvature of the cross-entropy by an output; outputs `(n, rows)` of a fit. */
export async function meanCurvature(outputs: Float64Array, { classes, intercepts }: LinearModel): Promise<number> {
  const rows = rowsOf(classes)
  let sum = 0
  await breathing(outputs.length / rows, (i) => {
    const own = Array.from(outputs.subarray(i * rows, (i + 1) * rows), (z, c) => z + intercepts[classes - rows + c]!)
    const all = rows === 1 ? [0, ...own] : own
    const largest = all.reduce((a, b) => Math.max(a, b))
    const weights = all.map((z) => Math.exp(z - largest))
    const total = weights.reduce((a, b) => a + b)
    sum += weights.reduce((part, w) => part + (w / total) * (1 - w / total), 0) / all.length
  })
  return (sum * rows) / outputs.length
}

/** Rows of weights that scikit-learn has for so many classes. */
export function rowsOf(classes: number): number {
  return classes === 2 ? 1 : classes
}

/**
 * Mean of -log softmax(z + b)[y] over the images, and its derivative by the outputs z, (softmax - onehot) / n, which
 * overwrites them, with its sums over the images.
 *
 * @param outputs `(n, rows)`; with a single row the first of two classes has output 0
 */
async function crossEntropy(
  outputs: Float64Array,
  intercepts: Float64Array,
  labels: readonly number[],
): Promise<{ loss: number; residuals: Float64Array; sums: Float64Array }> {
  const n = labels.length
  const rows = intercepts.length
  const sums = new Float64Array(rows)
  let loss = 0
  await breathing(n, (i) => {
    loss += entropyOf(outputs.subarray(i * rows, (i + 1) * rows), intercepts, labels[i]!, n, sums)
  })
  return { loss: loss / n, residuals: outputs, sums }
}

/** That of one image. A class's own entry is minus the sum of the others', exact even where softmax is nearly 1. */
function entropyOf(z: Float64Array, intercepts: Float64Array, label: number, n: number, sums: Float64Array): number {
  const single = z.length === 1
  const own = label - (single ? 1 : 0) // -1: the class without a row
  let largest = single ? 0 : Number.NEGATIVE_INFINITY
  for (let c = 0; c < z.length; c++) {
    z[c]! += intercepts[c]!
    if (z[c]! > largest) largest = z[c]!
  }
  const margin = largest - (own < 0 ? 0 : z[own]!)
  let others = single && own === 0 ? Math.exp(-largest) : 0
  for (let c = 0; c < z.length; c++) {
    z[c] = Math.exp(z[c]! - largest)
    if (c !== own) others += z[c]!
  }
  const total = others + Math.exp(-margin)
  for (let c = 0; c < z.length; c++) {
    z[c] = (c === own ? -others : z[c]!) / (total * n)
    sums[c]! += z[c]!
  }
  return margin === 0 ? Math.log1p(others) : Math.log(total) + margin
}

function checkLabels(labels: readonly number[], n: number, classes: number): void {
  const seen = new Set(labels)
  if (labels.length !== n || labels.some((y) => !Number.isInteger(y) || y < 0 || y >= classes)) {
    throw new CoopError(`${countOf(n, 'row')} take ${countOf(n, 'label')} from 0 to ${classes - 1}`)
  }
  if (classes < 2 || seen.size < classes) {
    throw new CoopError(
      `${seen.size} of ${countOf(classes, 'class', 'classes')} have images to learn from`,
      'logistic regression needs two classes or more, and an image of each',
    )
  }
}
