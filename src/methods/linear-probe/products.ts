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
      await breathing(Math.ceil(n / 2), (pair) => outputRows(x, weights, y, 2 * pair, d, classes))
      return y
    },
    async gradient(residuals, classes) {
      const g = new Float64Array(classes * d)
      await breathing(Math.ceil(classes / 2), (pair) => gradientRows(x, residuals, g, 2 * pair, d, classes))
      return g
    },
    dispose: async () => {},
  }
}

/** Rows i and i + 1 of x W^T, if there is such; four classes at a time. */
function outputRows(x: Float64Array, w: Float64Array, y: Float64Array, i: number, d: number, classes: number): void {
  const second = (i + 1) * classes < y.length ? i + 1 : i
  const [upper, lower] = [i * d, second * d]
  const [out, next] = [i * classes, second * classes]
  const sums = new Float64Array(8)
  let c = 0
  for (; c + 3 < classes; c += 4) {
    twoByFour(x, upper, lower, w, c * d, d, d, sums)
    y.set(sums.subarray(4), next + c)
    y.set(sums.subarray(0, 4), out + c)
  }
  for (; c < classes; c++) {
    let s = 0
    let t = 0
    for (let j = 0, k = c * d; j < d; j++, k++) {
      s += x[upper + j]! * w[k]!
      t += x[lower + j]! * w[k]!
    }
    y[next + c] = t
    y[out + c] = s
  }
}

/**
 * Inner products of two rows with four, n numbers long: each value that is read is used again. (No lists in such loops: they take
 * longer than the sums.)
 *
 * @param upper where the two rows begin in `a`, with `lower`; the four begin at `first` in `b`, `stride` apart
 * @param sums those of the upper row, then those of the lower one
 */
export function twoByFour(
  a: Float64Array,
  upper: number,
  lower: number,
  b: Float64Array,
  first: number,
  stride: number,
  n: number,
  sums: Float64Array,
): void {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let t0 = 0
  let t1 = 0
  let t2 = 0
  let t3 = 0
  for (let j = 0, k = first; j < n; j++, k++) {
    const x = a[upper + j]!
    const y = a[lower + j]!
    const w0 = b[k]!
    const w1 = b[k + stride]!
    const w2 = b[k + 2 * stride]!
    const w3 = b[k + 3 * stride]!
    s0 += x * w0
    s1 += x * w1
    s2 += x * w2
    s3 += x * w3
    t0 += y * w0
    t1 += y * w1
    t2 += y * w2
    t3 += y * w3
  }
  sums[0] = s0
  sums[1] = s1
  sums[2] = s2
  sums[3] = s3
  sums[4] = t0
  sums[5] = t1
  sums[6] = t2
  sums[7] = t3
}

/** Rows c and c + 1 of R^T x, if there is such; four rows of x at a time. */
function gradientRows(x: Float64Array, r: Float64Array, g: Float64Array, c: number, d: number, classes: number): void {
  const n = x.length / d
  const isPair = c + 1 < classes
  let i = 0
  for (; i + 3 < n; i += 4) {
    const at = i * classes + c
    const [r0, r1, r2, r3] = [r[at]!, r[at + classes]!, r[at + 2 * classes]!, r[at + 3 * classes]!]
    if (isPair) {
      const q0 = r[at + 1]!
      const q1 = r[at + 1 + classes]!
      const q2 = r[at + 1 + 2 * classes]!
      const q3 = r[at + 1 + 3 * classes]!
      for (let j = 0, k = i * d, row = c * d; j < d; j++, k++, row++) {
        const x0 = x[k]!
        const x1 = x[k + d]!
        const x2 = x[k + 2 * d]!
        const x3 = x[k + 3 * d]!
        g[row]! += r0 * x0 + r1 * x1 + r2 * x2 + r3 * x3
        g[row + d]! += q0 * x0 + q1 * x1 + q2 * x2 + q3 * x3
      }
    } else {
      for (let j = 0, k = i * d, row = c * d; j < d; j++, k++, row++) {
        g[row]! += r0 * x[k]! + r1 * x[k + d]! + r2 * x[k + 2 * d]! + r3 * x[k + 3 * d]!
      }
    }
  }
  for (; i < n; i++) {
    for (let of = c; of < Math.min(c + 2, classes); of++) {
      const share = r[i * classes + of]!
      for (let j = 0, k = i * d; j < d; j++, k++) g[of * d + j]! += share * x[k]!
    }
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
