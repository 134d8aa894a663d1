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
  /** Relative rounding of the products; default that of float64. */
  readonly rounding?: number
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
  const { rows = rowsOf(classes), stop = { distance: 1e-4 }, ...rest } = options
  checkLabels(labels, n, classes)
  const penalty = 1 / (C * n)
  const { distance = 0, gradient: largest = 0, drop = 0 } = stop
  // The penalty alone curves the objective by `penalty`, so that |W - optimum| <= |gradient| / penalty.
  const reached = ({ x, value, gradient }: Point, before: Point | undefined) => {
    if (before && before.value - value <= drop) return true
    const length = norm(x.subarray(0, rows * d))
    return norm(gradient) <= distance * penalty * length || gradient.every((g) => Math.abs(g) <= largest)
  }
  const objective = logisticObjective(products, labels, rows, C)
  const { x, iterations, converged } = await minimise(objective, new Float64Array(rows * (d + 1)), { reached, ...rest })
  return { ...modelOf(x, classes, d), iterations, converged }
}

/** The model of weights `(rows, d)` followed by intercepts `(rows)`. */
function modelOf(x: Float64Array, classes: number, d: number): LinearModel {
  const rows = x.length / (d + 1)
  const weights = new Float64Array(classes * d)
  weights.set(x.subarray(0, rows * d), (classes - rows) * d)
  const intercepts = new Float64Array(classes)
  intercepts.set(x.subarray(rows * d), classes - rows)
  return { classes, d, weights, intercepts }
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
    const outputs = await outputsOf(products, x, rows)
    await breathe()
    const { loss, residuals, sums } = await crossEntropy(outputs, rows, labels)
    gradient.set(await products.gradient(residuals, rows))
    gradient.set(sums, size)
    for (let i = 0; i < size; i++) gradient[i]! += penalty * weights[i]!
    await breathe()
    return loss + (penalty / 2) * norm(weights) ** 2
  }
}

/** x W^T + b `(n, rows)`, of weights `(rows, d)` followed by intercepts `(rows)`. */
async function outputsOf(products: Products, x: Float64Array, rows: number): Promise<Float64Array> {
  const { n, d } = products
  const outputs = await products.outputs(x.subarray(0, rows * d), rows)
  const intercepts = x.subarray(rows * d)
  await breathing(n, (i) => {
    for (let c = 0, at = i * rows; c < rows; c++, at++) outputs[at]! += intercepts[c]!
  })
  return outputs
}

/** Rows of weights that scikit-learn has for so many classes. */
export function rowsOf(classes: number): number {
  return classes === 2 ? 1 : classes
}

/**
 * Mean of -log softmax(z)[y] over the images, and its derivative by the outputs z, (softmax - onehot) / n, which
 * overwrites them, with its sums over the images.
 *
 * @param outputs `(n, rows)`; with a single row the first of two classes has output 0
 */
export async function crossEntropy(
  outputs: Float64Array,
  rows: number,
  labels: readonly number[],
): Promise<{ loss: number; residuals: Float64Array; sums: Float64Array }> {
  const n = labels.length
  const sums = new Float64Array(rows)
  let loss = 0
  await breathing(n, (i) => {
    loss += entropyOf(outputs.subarray(i * rows, (i + 1) * rows), labels[i]!, n, sums)
  })
  return { loss: loss / n, residuals: outputs, sums }
}

/** That of one image. A class's own entry is minus the sum of the others', exact even where softmax is nearly 1. */
function entropyOf(z: Float64Array, label: number, n: number, sums: Float64Array): number {
  const single = z.length === 1
  const own = label - (single ? 1 : 0) // -1: the class without a row
  let largest = single ? 0 : Number.NEGATIVE_INFINITY
  for (let c = 0; c < z.length; c++) if (z[c]! > largest) largest = z[c]!
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

export function checkLabels(labels: readonly number[], n: number, classes: number): void {
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
