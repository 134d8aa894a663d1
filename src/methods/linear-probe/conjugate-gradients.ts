import { breathe, breathing } from '../../base/breathe.ts'
import { addScaled, dot, norm } from './lbfgs.ts'
import type { Products } from './products.ts'

/**
 * The system H s = -g of a Newton step for the weights `(classes, d)` of a linear model over fixed rows x `(n, d)`. A
 * direction V changes the outputs by u = x V^T, and the derivative of the cross-entropy by x times
 *
 *     q_c (u_c - sum_k p_k u_k),  q = p / n
 *
 * Taken from the row's own class, u_c - u_y, nothing cancels where softmax is nearly 1.
 */
export interface System {
  /** q, `(n, classes)`. */
  readonly probabilities: Float64Array
  /** g, `(classes, d)`. */
  readonly gradient: Float64Array
  /** What the penalty adds to the diagonal of H, by column: `(d)`. */
  readonly penalties: Float64Array
  /** Nearly one over the diagonal of H, `(classes, d)`: what the system is preconditioned by. */
  readonly inverse: Float64Array
}

/** Whether the residual is small enough, by its length and that of its entries times the roots of `inverse`. */
export type Enough = (scaled: number, length: number) => boolean

export interface StepSolver {
  /** s by conjugate gradients. */
  solve(system: System, enough: Enough, signal?: AbortSignal): Promise<Float64Array>
  dispose(): Promise<void>
}

/** No nearer than this many get. */
export const MAX_GRADIENTS = 500

/** In float64, in this thread, with breaths. */
export function plainSolver(products: Products, labels: readonly number[], classes: number): StepSolver {
  const { n } = products
  const curved = async (direction: Float64Array, probabilities: Float64Array) => {
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
  }
  return {
    async solve({ probabilities, gradient, penalties, inverse }, enough, signal) {
      const step = new Float64Array(gradient.length)
      const rest = gradient.map((g) => -g)
      const direction = rest.map((v, k) => v * inverse[k]!)
      let left = scaledNorm(rest, inverse)
      for (let k = 0; k < MAX_GRADIENTS; k++) {
        signal?.throwIfAborted()
        const bent = addPenalty(await curved(direction, probabilities), direction, penalties)
        const bend = dot(direction, bent)
        if (!(bend > 0)) break
        addScaled(step, left ** 2 / bend, direction)
        addScaled(rest, -(left ** 2) / bend, bent)
        const before = left
        left = scaledNorm(rest, inverse)
        if (enough(left, norm(rest))) break
        await breathe()
        const keep = (left / before) ** 2
        for (let j = 0; j < direction.length; j++) direction[j] = rest[j]! * inverse[j]! + keep * direction[j]!
      }
      return step
    },
    dispose: async () => {},
  }
}

/** derivative += penalty times x, by column */
export function addPenalty(derivative: Float64Array, x: Float64Array, penalties: Float64Array): Float64Array {
  const width = penalties.length
  for (let at = 0; at < x.length; at += width) {
    for (let j = 0; j < width; j++) derivative[at + j]! += penalties[j]! * x[at + j]!
  }
  return derivative
}

/** Root of the sum of scale times square. */
export function scaledNorm(v: Float64Array, scale: Float64Array): number {
  let sum = 0
  for (let k = 0; k < v.length; k++) sum += v[k]! * v[k]! * scale[k]!
  return Math.sqrt(sum)
}
