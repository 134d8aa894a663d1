import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { rowProducts } from '../../learning/vectors.ts'

/** Where LP++ starts and how far its steps go, all from the features; nothing is left to choose. */
export interface Start {
  /** `(classes, d)`: the sum of each class's features. */
  readonly weight: FloatTensor
  /** Of every class. */
  readonly alpha: number
  readonly weightRate: number
  readonly alphaRate: number
}

/**
 * With X the features `(n, d)` and t the text features `(classes, d)`, all of length 1:
 *
 *     w_c = sum of x over the images of c        rate of w:     4 n / largest eigenvalue of X^T X
 *     alpha = 250 mean_c mean_(images of c) x.t_c   rate of alpha: n / (4 max_c sum_i (x_i . t_c)^2)
 *
 * The rates are inverse Lipschitz bounds of the gradient of the mean cross-entropy in each block of variables, as the
 * official code computes them.
 */
export function lpStart(x: FloatTensor, labels: readonly number[], text: FloatTensor): Start {
  const [n = 0, d = 0] = x.shape
  const [classes = 0] = text.shape
  const weight = floatTensor([classes, d])
  const counts = new Array<number>(classes).fill(0)
  const own = new Array<number>(classes).fill(0) // sum of x . t_c over the images of c
  const squares = new Array<number>(classes).fill(0)
  const similarities = rowProducts(x, text).data
  for (const [i, label] of labels.entries()) {
    for (let j = 0; j < d; j++) weight.data[label * d + j]! += x.data[i * d + j]!
    counts[label]! += 1
    own[label]! += similarities[i * classes + label]!
    for (let c = 0; c < classes; c++) squares[c]! += similarities[i * classes + c]! ** 2
  }
  const means = own.map((sum, c) => sum / counts[c]!)
  return {
    weight,
    alpha: (250 * means.reduce((a, b) => a + b, 0)) / classes,
    weightRate: (4 * n) / largestEigenvalue(x),
    alphaRate: n / (4 * Math.max(...squares)),
  }
}

const MAX_ROUNDS = 2000

/** The largest eigenvalue of X^T X by the power method, in float64; X is `(n, d)`. */
export function largestEigenvalue({ shape, data }: FloatTensor): number {
  const [n = 0, d = 0] = shape
  // rows of features lie on one side: their sum is a start that is near the first eigenvector
  let v = new Float64Array(d)
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) v[j]! += data[i * d + j]!
  if (!v.some((x) => x !== 0)) v.fill(1)
  let before = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const length = Math.hypot(...v)
    if (length === 0) return 0
    const u = v.map((x) => x / length)
    v = new Float64Array(d)
    let eigenvalue = 0 // u . X^T X u = |X u|^2
    for (let i = 0; i < n; i++) {
      let projection = 0
      for (let j = 0; j < d; j++) projection += data[i * d + j]! * u[j]!
      eigenvalue += projection * projection
      for (let j = 0; j < d; j++) v[j]! += projection * data[i * d + j]!
    }
    if (Math.abs(eigenvalue - before) <= 1e-10 * eigenvalue) return eigenvalue
    before = eigenvalue
  }
  return before
}
