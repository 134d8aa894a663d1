import { breathing } from '../../base/breathe.ts'
import { add, type FloatTensor, floatTensor, matmul, type Value } from '../../graph/index.ts'
import { mapRows } from '../../learning/rows.ts'
import { argmaxRows } from '../../learning/vectors.ts'
import type { Runtime } from '../../runtime/types.ts'
import { isLarge } from './products.ts'

/** A linear classifier: `outputs = x W^T + b`. */
export interface LinearModel {
  readonly classes: number
  readonly d: number
  /** `(classes, d)` */
  readonly weights: Float64Array
  /** `(classes)` */
  readonly intercepts: Float64Array
}

/** Rows `(n, d)` -> `x W^T + b` `(n, classes)`, in float64. */
export async function linearOutputs(
  { classes, d, weights, intercepts }: LinearModel,
  x: ArrayLike<number>,
): Promise<Float64Array> {
  const n = x.length / d
  const y = new Float64Array(n * classes)
  await breathing(n, (i) => {
    for (let c = 0; c < classes; c++) y[i * classes + c] = dotFrom(intercepts[c]!, x, i * d, weights, c * d, d)
  })
  return y
}

/** start + a . b, of d numbers from a place in each. */
function dotFrom(start: number, a: ArrayLike<number>, i: number, b: Float64Array, k: number, d: number): number {
  let sum = start
  for (let j = 0; j < d; j++) sum += a[i + j]! * b[k + j]!
  return sum
}

/** A model's tensors: `weights` `(classes, d)` and `intercepts` `(classes)`. */
export function modelTensors({ classes, d, weights, intercepts }: LinearModel) {
  return {
    weights: floatTensor([classes, d], new Float32Array(weights)),
    intercepts: floatTensor([classes], new Float32Array(intercepts)),
  }
}

/** Outputs `(n, classes)` for features x `(n, d)`. */
export function linearLogits(x: Value, { weights, intercepts }: ReturnType<typeof modelTensors>): Value {
  const { graph } = x
  return add(matmul(x, graph.weight('weights', weights), { transB: true }), graph.weight('intercepts', intercepts))
}

/** The class of each row of x `(n, d)`. */
export async function predict(runtime: Runtime, fit: LinearModel, x: FloatTensor): Promise<number[]> {
  const [n = 0] = x.shape
  const { d, classes } = fit
  if (!isLarge(n, d, classes))
    return argmaxRows(floatTensor([n, classes], new Float32Array(await linearOutputs(fit, x.data))))
  const tensors = modelTensors(fit)
  return argmaxRows(await mapRows(runtime, x, (rows) => linearLogits(rows, tensors)))
}
