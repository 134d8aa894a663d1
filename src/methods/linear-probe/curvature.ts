import { breathing } from '../../base/breathe.ts'
import {
  type FloatTensor,
  floatTensor,
  Graph,
  matmul,
  mul,
  type Program,
  program,
  scale,
  sub,
  sum,
} from '../../graph/index.ts'
import type { Runtime } from '../../runtime/types.ts'
import type { Products } from './products.ts'

/**
 * The second derivative of the cross-entropy of a linear model over fixed rows `x` `(n, d)`, times a direction V: outputs
 * u = x V^T change the residuals by
 *
 *     q_c (u_c - sum_k p_k u_k),  q = p / n
 *
 * whose product with x it is. Taken from the row's own class, u_c - u_y, nothing cancels where softmax is nearly 1.
 */
export interface Curvature {
  /** Where probabilities divided by n are these, `(n, classes)`: direction `(classes, d)` -> `(classes, d)`. */
  at(probabilities: Float64Array): (direction: Float64Array) => Promise<Float64Array>
  dispose(): Promise<void>
}

/** In float64, in this thread, with breaths. */
export function plainCurvature(products: Products, labels: readonly number[], classes: number): Curvature {
  const { n } = products
  return {
    at: (probabilities) => async (direction) => {
      const u = await products.outputs(direction, classes)
      await breathing(n, (i) => {
        const at = i * classes
        const own = u[at + labels[i]!]!
        let mean = 0
        for (let k = at; k < at + classes; k++) {
          u[k]! -= own
          mean += n * probabilities[k]! * u[k]!
        }
        for (let k = at; k < at + classes; k++) u[k] = probabilities[k]! * (u[k]! - mean)
      })
      return products.gradient(u, classes)
    },
    dispose: async () => {},
  }
}

/** In float32, by the runtime, beside the caller's thread. */
export async function runtimeCurvature(
  runtime: Runtime,
  x: FloatTensor,
  labels: readonly number[],
  classes: number,
): Promise<Curvature> {
  const [n = 0, d = 0] = x.shape
  const session = await runtime.load(curvatureProgram(x, labels, classes))
  return {
    at(values) {
      const probabilities = floatTensor([n, classes], new Float32Array(values))
      return async (direction) => {
        const { y } = await session.run({
          direction: floatTensor([classes, d], new Float32Array(direction)),
          probabilities,
        })
        return new Float64Array(y.data)
      }
    },
    dispose: () => session.dispose(),
  }
}

function curvatureProgram(x: FloatTensor, labels: readonly number[], classes: number): Program<'y'> {
  const [n = 0, d = 0] = x.shape
  const onehot = floatTensor([n, classes])
  for (const [i, label] of labels.entries()) onehot.data[i * classes + label] = 1
  const graph = new Graph()
  const rows = graph.weight('x', x)
  const probabilities = graph.input('probabilities', [n, classes])
  const u = matmul(rows, graph.input('direction', [classes, d]), { transB: true })
  const less = sub(u, sum(mul(u, graph.weight('onehot', onehot)), [1], true))
  const mean = scale(sum(mul(probabilities, less), [1], true), n)
  return program(graph, { y: matmul(mul(probabilities, sub(less, mean)), rows, { transA: true }) })
}
