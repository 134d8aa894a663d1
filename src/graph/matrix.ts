import { aFlag, aNumber, anObject, checkArguments } from '../base/arguments.ts'
import { apply, broadcast, expectShapes, expectValues, type Value } from './graph.ts'
import { reshape } from './shaping.ts'
import { sizeOf } from './tensor.ts'

/** What matmul does beside multiplying. */
export interface MatmulOptions {
  /** Take the last two axes of a (of b) the other way round. */
  readonly transA?: boolean
  readonly transB?: boolean
  /** The product is multiplied by this. */
  readonly alpha?: number
}

/**
 * Matrix products over the last two axes, `(..., m, k) x (..., k, n) -> (..., m, n)`; leading axes broadcast.
 *
 *     Y = alpha A B:   dA = alpha dY B^T,   dB = alpha A^T dY   (and their transposes)
 */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  expectValues('matmul', [a, b])
  checkArguments('matmul', { options }, { options: anObject })
  const { transA = false, transB = false, alpha = 1 } = options
  checkArguments('matmul', { transA, transB, alpha }, { transA: aFlag, transB: aFlag, alpha: aNumber })
  const [m, ka] = lastTwo(a, transA)
  const [kb, n] = lastTwo(b, transB)
  expectShapes(ka === kb, 'matmul', [a, b], `inner axes agree (transA ${transA}, transB ${transB})`)
  const leading = broadcast('matmul', [a, b], [a.shape.slice(0, -2), b.shape.slice(0, -2)])
  const shape = [...leading, m, n]
  if (a.shape.length > 2 && b.shape.length === 2 && !transA) {
    // One tall product, so that the gradient of b is one, too, and not a sum of small ones.
    return reshape(matmul(reshape(a, [sizeOf(leading) * m, ka]), b, options), shape)
  }
  const gradient = (dy: Value) => [
    transA ? matmul(b, dy, { transA: transB, transB: true, alpha }) : matmul(dy, b, { transB: !transB, alpha }),
    transB ? matmul(dy, a, { transA: true, transB: transA, alpha }) : matmul(a, dy, { transA: !transA, alpha }),
  ]
  if (!transA && !transB && alpha === 1) return apply('MatMul', [a, b], shape, gradient)
  return apply('com.microsoft.FusedMatMul', [a, b], shape, gradient, {
    transA: transA ? 1 : 0,
    transB: transB ? 1 : 0,
    alpha: { float: alpha },
  })
}

function lastTwo(x: Value, transposed: boolean): readonly [number, number] {
  const [m, n] = x.shape.slice(-2)
  expectShapes(m !== undefined && n !== undefined, 'matmul', [x], 'two axes at least')
  return transposed ? [n, m] : [m, n]
}
