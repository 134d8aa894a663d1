import { breathing } from '../../base/breathe.ts'
import { dims, type FloatTensor, floatTensor, Graph, matmul, program } from '../../graph/index.ts'
import type { TrainingSet } from '../../learning/batches.ts'
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
  set: TrainingSet,
  classes: number,
  signal?: AbortSignal,
): Promise<Discriminant> {
  const [, , d] = dims(set.features, 3, 'features')
  const { deviations, means, squares } = await aroundMeans(set, classes)
  const [n] = dims(deviations, 2)
  const intercepts = new Float64Array(classes).fill(-Math.log(classes))
  const spread = squares / n > NO_SPREAD
  if (!spread) return { weights: new Float64Array(classes * d), intercepts, samples: n, spread }
  const precise = n < d ? byInnerProducts : byScatter
  const weights = await precise(runtime, deviations, means, squares / (n - 1), signal)
  for (let k = 0; k < weights.length; k++) weights[k]! *= d
  for (let c = 0; c < classes; c++) {
    for (let j = c * d; j < (c + 1) * d; j++) intercepts[c]! -= (means[j]! * weights[j]!) / 2
  }
  return { weights, intercepts, samples: n, spread }
}

/** The means of classes `(classes, d)`, all views less those `(N, d)`, and the sum of the squares of what is left. */
async function aroundMeans({ features, labels }: TrainingSet, classes: number) {
  const [images, views, d] = dims(features, 3, 'features')
  const n = images * views
  const deviations = floatTensor([n, d])
  const means = new Float64Array(classes * d)
  const counts = new Float64Array(classes)
  const meanOf = (row: number) => labels[Math.floor(row / views)]! * d
  await breathing(n, (row) => {
    const [from, mean] = [row * d, meanOf(row)]
    let square = 0
    for (let j = 0; j < d; j++) square += features.data[from + j]! ** 2
    const length = Math.sqrt(square) || 1
    for (let j = 0; j < d; j++) {
      const value = features.data[from + j]! / length
      deviations.data[from + j] = value
      means[mean + j]! += value
    }
    counts[mean / d]! += 1
  })
  for (let k = 0; k < means.length; k++) means[k]! /= counts[Math.floor(k / d)]!
  let squares = 0
  await breathing(n, (row) => {
    for (let j = 0, at = row * d, mean = meanOf(row); j < d; j++, at++) {
      const deviation = deviations.data[at]! - means[mean + j]!
      deviations.data[at] = deviation
      squares += deviation * deviation
    }
  })
  return { deviations, means, squares }
}

/** (X^T X + shrinkage I)^-1 mu for the rows X `(n, d)` and each row mu of `means`. */
type Precise = (
  runtime: Runtime,
  x: FloatTensor,
  means: Float64Array,
  shrinkage: number,
  signal: AbortSignal | undefined,
) => Promise<Float64Array>

const byScatter: Precise = async (runtime, x, means, shrinkage, signal) => {
  const [, d] = dims(x, 2)
  const scatter = await scatterOf(runtime, x, signal)
  for (let j = 0; j < d; j++) scatter[j * d + j]! += shrinkage
  const solved = means.slice()
  await solveSymmetric(scatter, solved, d)
  return solved
}

/** Of few rows by a system of their number, which is the smaller one: (mu - X^T (X X^T + shrinkage I)^-1 X mu) / shrinkage. */
const byInnerProducts: Precise = async (runtime, x, means, shrinkage, signal) => {
  const [n, d] = dims(x, 2)
  const classes = means.length / d
  const { outputs, gradient } = plainProducts(new Float64Array(x.data), n, d)
  const columns = floatTensor([d, n], new Float32Array(await transposed(x.data, n, d)))
  const inner = await scatterOf(runtime, columns, signal)
  for (let i = 0; i < n; i++) inner[i * n + i]! += shrinkage
  // (classes, n) for solving, (n, classes) for products with the rows
  const along = await transposed(await outputs(means, classes), n, classes)
  await solveSymmetric(inner, along, n)
  const within = await gradient(await transposed(along, classes, n), classes)
  return means.map((mean, k) => (mean - within[k]!) / shrinkage)
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
