import { breathe, breathing } from '../../base/breathe.ts'
import {
  add,
  div,
  type FloatTensor,
  floatTensor,
  Graph,
  matmul,
  mul,
  positive,
  program,
  scale,
  sub,
  sum,
  sumSquares,
  type Value,
  where,
} from '../../graph/index.ts'
import type { Runtime } from '../../runtime/types.ts'
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
const MAX_GRADIENTS = 500

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

/** Iterations in one run of the runtime: messages take as long as they do. */
const AT_ONCE = 8

/** The share of its squares at which a residual is float32's rounding, along which there may be no curvature at all. */
const ROUNDING = 1e-12

/** In float32, by the runtime, beside the caller's thread. */
export async function runtimeSolver(
  runtime: Runtime,
  x: FloatTensor,
  labels: readonly number[],
  classes: number,
): Promise<StepSolver> {
  const [n = 0, d = 0] = x.shape
  const session = await runtime.load(iterations(x, labels, classes))
  const matrix = (values: Float64Array) => floatTensor([classes, d], new Float32Array(values))
  return {
    async solve({ probabilities, gradient, penalties, inverse }, enough, signal) {
      const size = scaledNorm(gradient, inverse) // as 1, so that squares are within float32
      const constants = {
        probabilities: floatTensor([n, classes], new Float32Array(probabilities)),
        penalties: floatTensor([1, d], new Float32Array(penalties)),
        inverse: matrix(inverse),
      }
      let state = {
        step: floatTensor([classes, d]),
        rest: matrix(gradient.map((g) => -g / size)),
        direction: matrix(gradient.map((g, k) => (-g / size) * inverse[k]!)),
        left: floatTensor([1, 1], Float32Array.of(1)),
      }
      for (let k = 0; k < MAX_GRADIENTS; k += AT_ONCE) {
        signal?.throwIfAborted()
        const after = await session.run({ ...constants, ...state })
        const [left = Number.NaN, squares = Number.NaN] = [after.leftAfter.data[0], after.squares.data[0]]
        if (!Number.isFinite(left + squares)) break
        const stays = left === state.left.data[0]
        state = { step: after.stepAfter, rest: after.restAfter, direction: after.directionAfter, left: after.leftAfter }
        if (stays || enough(size * Math.sqrt(left), size * Math.sqrt(squares))) break
      }
      return Float64Array.from(state.step.data, (v) => v * size)
    },
    dispose: () => session.dispose(),
  }
}

function iterations(x: FloatTensor, labels: readonly number[], classes: number) {
  const [n = 0, d = 0] = x.shape
  const own = floatTensor([n, classes])
  for (const [i, label] of labels.entries()) own.data[i * classes + label] = 1
  const graph = new Graph()
  const [rows, onehot] = [graph.weight('x', x), graph.weight('onehot', own)]
  const [rounding, none] = [graph.scalar(ROUNDING), graph.scalar(0)]
  const probabilities = graph.input('probabilities', [n, classes])
  const penalties = graph.input('penalties', [1, d])
  const inverse = graph.input('inverse', [classes, d])
  const curved = (direction: Value) => {
    const u = matmul(rows, direction, { transB: true })
    const less = sub(u, sum(mul(u, onehot), [1], true))
    const mean = scale(sum(mul(probabilities, less), [1], true), n)
    return matmul(mul(probabilities, sub(less, mean)), rows, { transA: true })
  }
  let step = graph.input('step', [classes, d])
  let rest = graph.input('rest', [classes, d])
  let direction = graph.input('direction', [classes, d])
  let left = graph.input('left', [1, 1])
  for (let k = 0; k < AT_ONCE; k++) {
    const bent = add(curved(direction), mul(penalties, direction))
    const bend = sum(mul(direction, bent), [0, 1], true)
    const going = positive(where(positive(sub(left, rounding)), bend, none)) // else all stays as it is
    const size = where(going, div(left, bend), none)
    step = add(step, mul(size, direction))
    rest = sub(rest, mul(size, bent))
    const scaled = mul(rest, inverse)
    const next = sum(mul(rest, scaled), [0, 1], true)
    direction = where(going, add(scaled, mul(div(next, left), direction)), direction)
    left = next
  }
  return program(graph, {
    stepAfter: step,
    restAfter: rest,
    directionAfter: direction,
    leftAfter: left,
    squares: sumSquares(rest, [0, 1], true),
  })
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
