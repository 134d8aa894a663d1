import { breathing } from '../../base/breathe.ts'
import { dims, type FloatTensor, floatTensor, Graph, matmul, program } from '../../graph/index.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import type { Runtime } from '../../runtime/types.ts'
import { plainProducts, transposed } from '../linear-probe/products.ts'
import { solveSymmetric } from './cholesky.ts'

/** What Gaussians of one covariance say of a feature x of length 1: logits `w_c . x + b_c`. */
export interface Discriminant {
  /** `(classes, d)` */
  readonly weights: Float64Array
  /** `(classes)` */
  readonly intercepts: Float64Array
  /** Views that it is estimated from. */
  readonly samples: number
  /** Whether the features of a class differ at all; where they do not, all weights are 0. */
  readonly spread: boolean
}

/** Mean squared distance of features of length 1 to the mean of their class, below which they are the same but for rounding. */
const NO_SPREAD = 1e-9

/**
 * Gaussian discriminant analysis, a Gaussian for each class around its mean mu_c, with one covariance for all and equal
 * priors. With N views of all images, taken with length 1, and S the sum of (x - mu)(x - mu)^T over them, each less the
 * mean of its class:
 *
 *     P = d (S + tr(S) / (N - 1) I)^-1,   w_c = P mu_c,   b_c = -log classes - mu_c . w_c / 2
 *
 * P is the official code's estimate of the inverse covariance (Kubokawa & Srivastava 2008). Where S is 0, as with one
 * view of one image a class, P is 0, as its pseudo-inverse there.
 */
export async function fitDiscriminant(
  runtime: Runtime,
  { features, labels }: TrainingSet,
  classes: number,
  signal?: AbortSignal,
): Promise<Discriminant> {
  const [images, views, d] = dims(features, 3, 'features')
  const n = images * views
  const rows = normaliseRows(floatTensor([n, d], features.data))
  const classOf = Array.from({ length: n }, (_, row) => labels[Math.floor(row / views)]!)
  if (n < d) return (await fewRows(rows, classOf, classes)).fit(Array.from(classOf.keys()))
  return byScatter(runtime, rows, classOf, classes, signal)
}

const withoutSpread = (classes: number, d: number, samples: number): Discriminant => ({
  weights: new Float64Array(classes * d),
  intercepts: new Float64Array(classes).fill(-Math.log(classes)),
  samples,
  spread: false,
})

/** The same of the rows x `(n, d)`, of length 1, or of some of them: fewer than they are long. */
export interface FewRows {
  fit(some: readonly number[]): Promise<Discriminant>
}

/**
 * Of few rows by a system of their number, which is the smaller one. With X the rows, each less the mean of its class:
 *
 *     (X^T X + s I)^-1 mu = (mu - X^T a) / s,   (X X^T + s I) a = X mu
 *
 * All of it follows from the inner products of the rows, which are computed once for any choice of them, in float64.
 */
export async function fewRows(x: FloatTensor, labels: readonly number[], classes: number): Promise<FewRows> {
  const [n, d] = dims(x, 2, 'rows')
  const rows = new Float64Array(x.data)
  const { outputs, gradient } = plainProducts(rows, n, d)
  const inner = await outputs(rows, n)
  return {
    async fit(some) {
      const m = some.length
      const own = some.map((i) => labels[i]!)
      const products = new Float64Array(m * m)
      await breathing(m, (i) => {
        for (let j = 0; j < m; j++) products[i * m + j] = inner[some[i]! * n + some[j]!]!
      })
      const { mean, between, squares } = await lessClassMeans(products, own, classes)
      if (!(squares / m > NO_SPREAD)) return withoutSpread(classes, d, m)
      const shrinkage = squares / (m - 1)
      for (let i = 0; i < m; i++) products[i * m + i]! += shrinkage
      const a = mean.map((value, at) => value - between[own[at % m]! * classes + Math.floor(at / m)]!)
      await solveSymmetric(products, a, m)

      // w_c as a sum of rows x_i: those of a class add up to 0 in X, so a does, too, and X^T a is the sum of a_i x_i
      const shares = new Float64Array(n * classes)
      const intercepts = new Float64Array(classes).fill(-Math.log(classes))
      const counts = countsOf(own, classes)
      for (const [i, k] of own.entries()) {
        for (let c = 0; c < classes; c++) {
          const ofMean = c === k ? 1 / counts[c]! : 0
          const share = ((ofMean - a[c * m + i]!) * d) / shrinkage
          shares[some[i]! * classes + c] = share
          intercepts[c]! -= (share * mean[c * m + i]!) / 2
        }
      }
      return { weights: await gradient(shares, classes), intercepts, samples: m, spread: true }
    },
  }
}

/**
 * Inner products of rows `(m, m)` -> in place those of the rows less the means of their classes, x_i - mu.
 *
 * @returns `mean`: mu_c . x_i, `(classes, m)`; `between`: mu_c . mu_k, `(classes, classes)`; the sum of |x_i - mu|^2
 */
async function lessClassMeans(products: Float64Array, own: readonly number[], classes: number) {
  const m = own.length
  const mean = meansOf(products, own, classes)
  const between = meansOf(await transposed(mean, classes, m), own, classes)
  let squares = 0
  await breathing(m, (i) => {
    const c = own[i]!
    for (let j = 0, at = i * m; j < m; j++, at++) {
      const k = own[j]!
      products[at]! += between[c * classes + k]! - mean[k * m + i]! - mean[c * m + j]!
    }
    squares += products[i * m + i]!
  })
  return { mean, between, squares }
}

function countsOf(own: readonly number[], classes: number): Float64Array {
  const counts = new Float64Array(classes)
  for (const c of own) counts[c]! += 1
  return counts
}

/** The mean of the rows of each class: `(m, width)` -> `(classes, width)`. */
function meansOf(values: Float64Array, own: readonly number[], classes: number): Float64Array {
  const width = values.length / own.length
  const counts = countsOf(own, classes)
  const means = new Float64Array(classes * width)
  for (const [i, c] of own.entries()) {
    for (let j = 0; j < width; j++) means[c * width + j]! += values[i * width + j]! / counts[c]!
  }
  return means
}

/** Of many rows by S itself: products by the runtime. */
async function byScatter(
  runtime: Runtime,
  rows: FloatTensor,
  classOf: readonly number[],
  classes: number,
  signal: AbortSignal | undefined,
): Promise<Discriminant> {
  const [n, d] = dims(rows, 2)
  const { means, squares } = await lessMeans(rows, classOf, classes)
  if (!(squares / n > NO_SPREAD)) return withoutSpread(classes, d, n)
  const scatter = await scatterOf(runtime, rows, signal)
  for (let j = 0; j < d; j++) scatter[j * d + j]! += squares / (n - 1)
  const weights = means.slice()
  await solveSymmetric(scatter, weights, d)
  const intercepts = new Float64Array(classes).fill(-Math.log(classes))
  for (let c = 0; c < classes; c++) {
    for (let j = c * d; j < (c + 1) * d; j++) {
      weights[j]! *= d
      intercepts[c]! -= (means[j]! * weights[j]!) / 2
    }
  }
  return { weights, intercepts, samples: n, spread: true }
}

/** Takes the mean of its class from each row `(n, d)`: the means `(classes, d)`, and the sum of the squares of what is left. */
async function lessMeans({ shape, data }: FloatTensor, classOf: readonly number[], classes: number) {
  const [n = 0, d = 0] = shape
  const means = new Float64Array(classes * d)
  const counts = countsOf(classOf, classes)
  await breathing(n, (row) => {
    const c = classOf[row]!
    for (let j = 0; j < d; j++) means[c * d + j]! += data[row * d + j]!
  })
  for (let k = 0; k < means.length; k++) means[k]! /= counts[Math.floor(k / d)]!
  let squares = 0
  await breathing(n, (row) => {
    for (let j = 0, at = row * d, mean = classOf[row]! * d; j < d; j++, at++) {
      const deviation = data[at]! - means[mean + j]!
      data[at] = deviation
      squares += deviation * deviation
    }
  })
  return { means, squares }
}

/** Rows of one product: some megabytes. */
const ROWS = 2048

/** x^T x `(d, d)` of x `(n, d)`: products by the runtime, their sum in float64. */
async function scatterOf(runtime: Runtime, x: FloatTensor, signal?: AbortSignal): Promise<Float64Array> {
  const [n, d] = dims(x, 2)
  const rows = Math.min(ROWS, n)
  const graph = new Graph()
  const some = graph.input('x', [rows, d])
  const session = await runtime.load(program(graph, { product: matmul(some, some, { transA: true }) }))
  const total = new Float64Array(d * d)
  try {
    for (let start = 0; start < n; start += rows) {
      signal?.throwIfAborted()
      const chunk = floatTensor([rows, d]) // rows of zeros at the end add nothing
      chunk.data.set(x.data.subarray(start * d, (start + rows) * d))
      const { product } = await session.run({ x: chunk })
      await breathing(d, (i) => {
        for (let k = i * d; k < (i + 1) * d; k++) total[k]! += product.data[k]!
      })
    }
  } finally {
    await session.dispose()
  }
  return total
}
