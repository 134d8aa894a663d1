import { breathing } from '../../base/breathe.ts'
import { type FloatTensor, floatTensor, Graph, matmul, type Program, program } from '../../graph/index.ts'
import { mapRows } from '../../learning/rows.ts'
import type { Runtime } from '../../runtime/types.ts'

/** Whether a product of so many multiplications is worth the overhead of the runtime's, in float32. */
export const isLarge = (n: number, d: number, classes: number) => n * d * classes >= 1e7

/** The two matrix products that a linear model over fixed rows `x` `(n, d)` is learned by. Matrices are row-major. */
export interface Products {
  readonly n: number
  readonly d: number
  /** Weights `(classes, d)` -> x W^T `(n, classes)`. */
  outputs(weights: Float64Array, classes: number): Promise<Float64Array>
  /** Residuals `(n, classes)` -> R^T x `(classes, d)`. */
  gradient(residuals: Float64Array, classes: number): Promise<Float64Array>
  dispose(): Promise<void>
}

/** In float64, in this thread, with breaths. */
export function plainProducts(x: Float64Array, n: number, d: number): Products {
  return {
    n,
    d,
    async outputs(weights, classes) {
      const y = new Float64Array(n * classes)
      await breathing(n, (i) => outputRow(x, weights, y, i, d, classes))
      return y
    },
    async gradient(residuals, classes) {
      const g = new Float64Array(classes * d)
      await breathing(classes, (c) => gradientRow(x, residuals, g, c, d, classes))
      return g
    },
    dispose: async () => {},
  }
}

/** Row i of x W^T; four classes at a time: each x is read once for four products. */
function outputRow(x: Float64Array, w: Float64Array, y: Float64Array, i: number, d: number, classes: number): void {
  const row = i * d
  let at = i * classes
  let c = 0
  for (; c + 3 < classes; c += 4, at += 4) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0]
    for (let j = 0, k = c * d; j < d; j++, k++) {
      const value = x[row + j]!
      s0 += value * w[k]!
      s1 += value * w[k + d]!
      s2 += value * w[k + 2 * d]!
      s3 += value * w[k + 3 * d]!
    }
    y[at] = s0
    y[at + 1] = s1
    y[at + 2] = s2
    y[at + 3] = s3
  }
  for (; c < classes; c++, at++) {
    let sum = 0
    for (let j = 0, k = c * d; j < d; j++, k++) sum += x[row + j]! * w[k]!
    y[at] = sum
  }
}

/** Row c of R^T x; four rows of x at a time. */
function gradientRow(x: Float64Array, r: Float64Array, g: Float64Array, c: number, d: number, classes: number): void {
  const row = c * d
  const n = x.length / d
  let i = 0
  for (; i + 3 < n; i += 4) {
    const r0 = r[i * classes + c]!
    const r1 = r[(i + 1) * classes + c]!
    const r2 = r[(i + 2) * classes + c]!
    const r3 = r[(i + 3) * classes + c]!
    for (let j = 0, a = i * d; j < d; j++, a++) {
      g[row + j]! += r0 * x[a]! + r1 * x[a + d]! + r2 * x[a + 2 * d]! + r3 * x[a + 3 * d]!
    }
  }
  for (; i < n; i++) {
    const ri = r[i * classes + c]!
    for (let j = 0, a = i * d; j < d; j++, a++) g[row + j]! += ri * x[a]!
  }
}

/** In float32, by the runtime's matrix product, beside the caller's thread; for one number of classes. */
export async function runtimeProducts(runtime: Runtime, x: FloatTensor, classes: number): Promise<Products> {
  const [n = 0, d = 0] = x.shape
  const outputs = await runtime.load(outputsProgram(x, classes))
  const gradient = await runtime.load(gradientProgram(x, classes))
  return {
    n,
    d,
    outputs: async (weights) =>
      result(await outputs.run({ weights: floatTensor([classes, d], new Float32Array(weights)) })),
    gradient: async (residuals) =>
      result(await gradient.run({ residuals: floatTensor([n, classes], new Float32Array(residuals)) })),
    async dispose() {
      await outputs.dispose()
      await gradient.dispose()
    },
  }
}

function outputsProgram(x: FloatTensor, classes: number): Program<'y'> {
  const graph = new Graph()
  const weights = graph.input('weights', [classes, x.shape[1] ?? 0])
  return program(graph, { y: matmul(graph.weight('x', x), weights, { transB: true }) })
}

function gradientProgram(x: FloatTensor, classes: number): Program<'y'> {
  const graph = new Graph()
  const residuals = graph.input('residuals', [x.shape[0] ?? 0, classes])
  return program(graph, { y: matmul(residuals, graph.weight('x', x), { transA: true }) })
}

function result({ y }: { readonly y: FloatTensor }): Float64Array {
  return new Float64Array(y.data)
}

/** The product of matrices `(n, m)` and `(m, d)`: in float64, or where it is large in float32 by the runtime. */
export async function matrixProduct(
  runtime: Runtime,
  a: Float64Array,
  b: Float64Array,
  [n, m, d]: readonly [n: number, m: number, d: number],
): Promise<Float64Array> {
  if (isLarge(n, m, d)) {
    const other = floatTensor([m, d], new Float32Array(b))
    const product = await mapRows(runtime, floatTensor([n, m], new Float32Array(a)), (rows) =>
      matmul(rows, rows.graph.weight('other', other)),
    )
    return new Float64Array(product.data)
  }
  return plainProducts(b, m, d).gradient(await transposed(a, n, m), n)
}

/** A matrix `(n, d)` as `(d, n)`. */
export async function transposed(a: ArrayLike<number>, n: number, d: number): Promise<Float64Array> {
  const t = new Float64Array(n * d)
  await breathing(n, (i) => {
    for (let j = 0; j < d; j++) t[j * n + i] = a[i * d + j]!
  })
  return t
}
