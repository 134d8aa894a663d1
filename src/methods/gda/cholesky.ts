import { breathing } from '../../base/breathe.ts'

/**
 * Solutions of A x = b for a symmetric positive definite A `(d, d)` and the rows b of B `(m, d)`, in place of B, by
 * Cholesky's A = L L^T, in float64. Of A only the lower triangle is read; it becomes L.
 */
export async function solveSymmetric(a: Float64Array, b: Float64Array, d: number): Promise<void> {
  await breathing(d, (i) => {
    const row = i * d
    for (let j = 0; j <= i; j++) {
      const rest = a[row + j]! - dot(a, row, a, j * d, j)
      a[row + j] = j === i ? Math.sqrt(rest) : rest / a[j * d + j]!
    }
  })
  await breathing(b.length / d, (r) => {
    const row = r * d
    for (let i = 0; i < d; i++) b[row + i] = (b[row + i]! - dot(b, row, a, i * d, i)) / a[i * d + i]!
    for (let i = d - 1; i >= 0; i--) {
      const x = b[row + i]! / a[i * d + i]!
      b[row + i] = x
      for (let j = 0, at = i * d; j < i; j++, at++) b[row + j]! -= x * a[at]!
    }
  })
}

/** Of n numbers from a place in each. */
function dot(a: Float64Array, i: number, b: Float64Array, k: number, n: number): number {
  let sum = 0
  for (let j = 0; j < n; j++) sum += a[i + j]! * b[k + j]!
  return sum
}
