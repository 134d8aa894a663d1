import { breathe } from '../../base/breathe.ts'
import { dims, type FloatTensor, floatTensor, matmul } from '../../graph/index.ts'
import { mapRows } from '../../learning/rows.ts'
import type { Runtime } from '../../runtime/types.ts'
import { gramProgram } from './program.ts'

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
export async function lpStart(
  runtime: Runtime,
  x: FloatTensor,
  labels: readonly number[],
  text: FloatTensor,
): Promise<Start> {
  const [n, d] = dims(x, 2, 'features')
  const [classes] = dims(text, 2, 'text features')
  const weight = floatTensor([classes, d])
  const counts = new Array<number>(classes).fill(0)
  const own = new Array<number>(classes).fill(0) // sum of x . t_c over the images of c
  const squares = new Array<number>(classes).fill(0)
  const cosines = await mapRows(runtime, x, (rows) => matmul(rows, rows.graph.weight('text', text), { transB: true }))
  for (const [i, label] of labels.entries()) {
    for (let j = 0; j < d; j++) weight.data[label * d + j]! += x.data[i * d + j]!
    counts[label]! += 1
    own[label]! += cosines.data[i * classes + label]!
    for (let c = 0; c < classes; c++) squares[c]! += cosines.data[i * classes + c]! ** 2
    await breathe()
  }
  const means = own.map((sum, c) => sum / counts[c]!)
  return {
    weight,
    alpha: (250 * means.reduce((a, b) => a + b, 0)) / classes,
    weightRate: (4 * n) / (await largestEigenvalue(runtime, x)),
    alphaRate: n / (4 * squares.reduce((a, b) => Math.max(a, b), 0)),
  }
}

const MAX_ROUNDS = 2000

/**
 * The largest eigenvalue of X^T X, which is that of X X^T, by the power method; X is `(n, d)`. Where others are within a
 * thousandth of it, its rounds may end before they are told apart: some 1e-4 below it.
 */
export async function largestEigenvalue(runtime: Runtime, x: FloatTensor): Promise<number> {
  const session = await runtime.load(gramProgram(x))
  const { gram } = await session.run({}).finally(() => session.dispose())
  const [m] = dims(gram, 2)
  // features lie on one side: the sum of the rows of their products is near the first eigenvector
  let v = new Float64Array(m)
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) v[i]! += gram.data[i * m + j]!
  if (!v.some((x) => x !== 0)) v.fill(1)
  let before = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const length = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0))
    if (length === 0) return 0
    const u = v.map((x) => x / length)
    v = new Float64Array(m)
    for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) v[i]! += gram.data[i * m + j]! * u[j]!
    const eigenvalue = v.reduce((sum, x, i) => sum + x * u[i]!, 0)
    if (Math.abs(eigenvalue - before) <= 1e-10 * eigenvalue) return eigenvalue
    before = eigenvalue
    await breathe()
  }
  return before
}
