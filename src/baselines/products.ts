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
        for (let c = 0; c < classes; c++) {
          let sum = 0
          for (let j = 0, a = i * d, b = c * d; j < d; j++, a++, b++) sum += x[a]! * weights[b]!
          y[i * classes + c] = sum
        }
      }
      return y
    },
    gradient(residuals, classes) {
      const g = new Float64Array(classes * d)
      for (let i = 0; i < n; i++) {
        for (let c = 0; c < classes; c++) {
          const r = residuals[i * classes + c]!
          for (let j = 0, a = i * d, b = c * d; j < d; j++, a++, b++) g[b]! += r * x[a]!
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
