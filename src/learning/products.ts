import { Graph, matmul, type Program, program } from '../graph/index.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { Runtime } from '../runtime/types.ts'

/** The two matrix products that a linear model over fixed rows `x` `(n, d)` is learned by. Matrices are row-major. */
export interface Products {
  readonly n: number
  readonly d: number
  /** Weights `(classes, d)` -> x W^T `(n, classes)`. */
  outputs(weights: Float64Array, classes: number): Float64Array | Promise<Float64Array>
  /** Residuals `(n, classes)` -> R^T x `(classes, d)`. */
  gradient(residuals: Float64Array, classes: number): Float64Array | Promise<Float64Array>
  dispose(): Promise<void>
}

/** In float64, in this thread. */
export function plainProducts(x: Float64Array, n: number, d: number): Products {
  return {
    n,
    d,
    outputs(weights, classes) {
      const y = new Float64Array(n * classes)
      for (let i = 0; i < n; i++) {
        const row = i * d
        let c = 0
        // four classes at a time: each x is read once for four products
        for (; c + 3 < classes; c += 4) {
          let [s0, s1, s2, s3] = [0, 0, 0, 0]
          for (let j = 0, w = c * d; j < d; j++, w++) {
            const value = x[row + j]!
            s0 += value * weights[w]!
            s1 += value * weights[w + d]!
            s2 += value * weights[w + 2 * d]!
            s3 += value * weights[w + 3 * d]!
          }
          y.set([s0, s1, s2, s3], i * classes + c)
        }
        for (; c < classes; c++) {
          let sum = 0
          for (let j = 0, w = c * d; j < d; j++, w++) sum += x[row + j]! * weights[w]!
          y[i * classes + c] = sum
        }
      }
      return y
    },
    gradient(residuals, classes) {
      const g = new Float64Array(classes * d)
      for (let c = 0; c < classes; c++) {
        const row = c * d
        let i = 0
        for (; i + 3 < n; i += 4) {
          const r0 = residuals[i * classes + c]!
          const r1 = residuals[(i + 1) * classes + c]!
          const r2 = residuals[(i + 2) * classes + c]!
          const r3 = residuals[(i + 3) * classes + c]!
          for (let j = 0, a = i * d; j < d; j++, a++) {
            g[row + j]! += r0 * x[a]! + r1 * x[a + d]! + r2 * x[a + 2 * d]! + r3 * x[a + 3 * d]!
          }
        }
        for (; i < n; i++) {
          const r = residuals[i * classes + c]!
          for (let j = 0, a = i * d; j < d; j++, a++) g[row + j]! += r * x[a]!
        }
      }
      return g
    },
    dispose: async () => {},
  }
}

/** In float32, by the runtime's matrix product; for one number of classes. */
export async function runtimeProducts(runtime: Runtime, x: FloatTensor, classes: number): Promise<Products> {
  const [n = 0, d = 0] = x.shape
  const outputs = await runtime.load(outputsProgram(x, classes))
  const gradient = await runtime.load(gradientProgram(x, classes))
  return {
    n,
    d,
    outputs: async (weights) =>
      result(await outputs.run({ weights: floatTensor([classes, d], Float32Array.from(weights)) })),
    gradient: async (residuals) =>
      result(await gradient.run({ residuals: floatTensor([n, classes], Float32Array.from(residuals)) })),
    async dispose() {
      await outputs.dispose()
      await gradient.dispose()
    },
  }
}

function outputsProgram(x: FloatTensor, classes: number): Program {
  const graph = new Graph()
  const weights = graph.input('weights', [classes, x.shape[1] ?? 0])
  return program(graph, { y: matmul(graph.weight('x', x), weights, { transB: true }) })
}

function gradientProgram(x: FloatTensor, classes: number): Program {
  const graph = new Graph()
  const residuals = graph.input('residuals', [x.shape[0] ?? 0, classes])
  return program(graph, { y: matmul(residuals, graph.weight('x', x), { transA: true }) })
}

function result({ y }: Record<string, FloatTensor>): Float64Array {
  if (y === undefined) throw new Error('the program has an output "y"')
  return Float64Array.from(y.data)
}
