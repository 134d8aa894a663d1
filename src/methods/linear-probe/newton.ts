import { breathe } from '../../base/breathe.ts'
import { addPenalty, type StepSolver, scaledNorm } from './conjugate-gradients.ts'
import { addScaled, dot, norm } from './lbfgs.ts'
import type { LinearModel } from './linear-model.ts'
import { checkLabels, crossEntropy, type Fit } from './logistic-regression.ts'
import type { Products } from './products.ts'

export interface NewtonOptions {
  /** The weights are no farther from the optimum than this share of their length; default 1e-4. */
  readonly distance?: number
  /** Or the last step lowered the objective by no more than this share of it; default 1e-7. */
  readonly decrease?: number
  /** Newton steps; default 1000. */
  readonly maxIterations?: number
  /** Where to begin: the best of these and zeros. The optimum is the same. */
  readonly from?: readonly LinearModel[]
  readonly signal?: AbortSignal
}

/** Rows along their principal axes, each followed by a 1 for the intercept: `(n, d + 1)`. */
export interface Problem {
  readonly products: Products
  readonly solver: StepSolver
  /** Sum of the squares of each column, `(d + 1)`. */
  readonly squares: Float64Array
  /** Class of each row. */
  readonly labels: readonly number[]
  readonly classes: number
  /** Added to the outputs, `(n, classes)`: what the model is to add to. Default: nothing. */
  readonly offsets?: Float64Array
}

const MAX_HALVINGS = 30
/** Sufficient decrease, as share of what the slope promises. */
const DECREASE = 1e-4
/** Values that differ by this share are the same: sums over all images are rounded. */
const ROUNDING = 1e-12

/** Weights and intercepts `(classes, d + 1)`, and what the objective is there. */
interface Place {
  readonly x: Float64Array
  /** `(n, classes)` */
  readonly outputs: Float64Array
  /** (softmax - onehot) / n, `(n, classes)`. */
  readonly residuals: Float64Array
  readonly value: number
}

/**
 * The optimum that fitLogistic seeks, by Newton steps that conjugate gradients solve (Nocedal & Wright, Numerical
 * Optimization, 2nd ed., algorithm 7.1), preconditioned by the mean curvature of each class along each axis. At large C
 * tens of steps do what takes L-BFGS a thousand iterations. Outputs change in proportion to a step, so that halving it
 * takes no product.
 */
export async function newtonFit(
  { products, solver, squares, labels, classes, offsets }: Problem,
  C: number,
  { distance = 1e-4, decrease = 1e-7, maxIterations = 1000, from = [], signal }: NewtonOptions = {},
): Promise<Fit> {
  const { n, d: width } = products
  checkLabels(labels, n, classes)
  // A single row w for two classes is the rows -w/2 and w/2, whose squares are half as much.
  const penalty = (classes === 2 ? 2 : 1) / (C * n)
  const penalties = Float64Array.from({ length: width }, (_, j) => (j === width - 1 ? 0 : penalty))

  const placeAt = async (x: Float64Array, outputs: Float64Array): Promise<Place> => {
    const { loss, residuals } = await crossEntropy(outputs.slice(), classes, labels)
    return { x, outputs, residuals, value: loss + penalised(x, penalties) / 2 }
  }
  // Steps, and so places, have the mean 0 over the classes: softmax knows no other, and the penalty wants it. So has the
  // gradient but for rounding, which would lead far: nothing but the penalty curves that way.
  const gradientAt = async ({ x, residuals }: Place) =>
    centred(addPenalty(await products.gradient(residuals, classes), x, penalties), width)

  const startAt = async (x: Float64Array) => {
    const outputs = await products.outputs(x, classes)
    if (offsets) addScaled(outputs, 1, offsets)
    return placeAt(x, outputs)
  }
  let at = await startAt(new Float64Array(classes * width))
  for (const other of from) {
    const place = await startAt(centred(variablesOf(other), width))
    if (place.value < at.value) at = place
  }
  let gradient = await gradientAt(at)
  let first: number | undefined
  let iterations = 0
  let converged = false
  for (; ; iterations++) {
    const near = distance * Math.sqrt(penalty * penalised(at.x, penalties)) // the penalty alone curves the objective so
    converged ||= norm(gradient) <= near
    if (converged || iterations >= maxIterations) break
    signal?.throwIfAborted()
    const inverse = inverseCurvature(at.residuals, squares, n, penalties)
    const length = scaledNorm(gradient, inverse)
    first ??= length
    const share = Math.min(0.5, Math.sqrt(length / first)) // smaller and smaller: superlinear
    const system = { probabilities: probabilitiesOf(at.residuals), gradient, penalties, inverse }
    const enough = (scaled: number, plain: number) => scaled <= share * length || plain <= near / 3
    const next = await lowered(centred(await solver.solve(system, enough, signal), width))
    if (next === undefined) break
    converged = at.value - next.value <= decrease * at.value
    at = next
    gradient = await gradientAt(at)
  }
  return { ...modelOf(at.x, classes, width), iterations, converged }

  function probabilitiesOf(residuals: Float64Array): Float64Array {
    const q = residuals.slice()
    for (const [i, label] of labels.entries()) q[i * classes + label]! += 1 / n
    return q
  }

  /** The step, halved until it lowers the objective; undefined where rounding lets none. */
  async function lowered(step: Float64Array): Promise<Place | undefined> {
    const slope = dot(gradient, step)
    const change = await products.outputs(step, classes)
    for (let k = 0, size = 1; k < MAX_HALVINGS; k++, size /= 2) {
      const [x, outputs] = [at.x.slice(), at.outputs.slice()]
      addScaled(x, size, step)
      addScaled(outputs, size, change)
      await breathe()
      const place = await placeAt(x, outputs)
      if (place.value <= at.value + DECREASE * size * slope + ROUNDING * at.value) return place
    }
    return undefined
  }
}

/** Sum of penalty times square. */
function penalised(x: Float64Array, penalties: Float64Array): number {
  const width = penalties.length
  let sum = 0
  for (let at = 0; at < x.length; at += width) for (let j = 0; j < width; j++) sum += penalties[j]! * x[at + j]! ** 2
  return sum
}

/** One over: the mean curvature p (1 - p) by the outputs of each class, times that of each axis, and the penalty. */
function inverseCurvature(
  residuals: Float64Array,
  squares: Float64Array,
  n: number,
  penalties: Float64Array,
): Float64Array {
  const classes = residuals.length / n
  const curvatures = new Float64Array(classes)
  for (let at = 0; at < residuals.length; at += classes) {
    for (let c = 0; c < classes; c++) {
      const r = Math.abs(residuals[at + c]!) // p / n, of the own class (1 - p) / n
      curvatures[c]! += r * (1 - n * r)
    }
  }
  const [penalty = 0] = penalties
  const width = squares.length
  return Float64Array.from({ length: classes * width }, (_, k) => {
    const j = k % width
    const bent = (curvatures[Math.floor(k / width)]! * squares[j]!) / n
    return 1 / (j === width - 1 ? Math.max(bent, penalty) : bent + penalty)
  })
}

/** Less the mean of the rows, without which softmax is the same. */
function centred(x: Float64Array, width: number): Float64Array {
  const mean = new Float64Array(width)
  for (let k = 0; k < x.length; k++) mean[k % width]! += (x[k]! * width) / x.length
  return x.map((v, k) => v - mean[k % width]!)
}

/** `(classes, d + 1)` */
function variablesOf({ classes, d, weights, intercepts }: LinearModel): Float64Array {
  const x = new Float64Array(classes * (d + 1))
  for (let c = 0; c < classes; c++) {
    x.set(weights.subarray(c * d, (c + 1) * d), c * (d + 1))
    x[c * (d + 1) + d] = intercepts[c]!
  }
  return x
}

/** As scikit-learn has it: of two classes the first has zeros, of more the intercepts have the mean 0. */
function modelOf(x: Float64Array, classes: number, width: number): LinearModel {
  const d = width - 1
  const all = classes === 2 ? x.map((v, k) => v - x[k % width]!) : centred(x, width)
  const weights = new Float64Array(classes * d)
  const intercepts = new Float64Array(classes)
  for (let c = 0; c < classes; c++) {
    weights.set(all.subarray(c * width, c * width + d), c * d)
    intercepts[c] = all[c * width + d]!
  }
  return { classes, d, weights, intercepts }
}
