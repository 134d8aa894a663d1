import { breathing } from '../../base/breathe.ts'
import { twoByFour } from '../linear-probe/products.ts'

/**
 * Solutions of A x = b for a symmetric positive definite A `(d, d)` and the rows b of B `(m, d)`, in place of B, by
 * Cholesky's A = L L^T, in float64. Of A only the lower triangle is read; it becomes L.
 */
export async function solveSymmetric(a: Float64Array, b: Float64Array, d: number): Promise<void> {
  const sums = new Float64Array(8)
  await breathing(Math.ceil(d / 2), (pair) => {
    const [upper, lower] = [2 * pair, 2 * pair + 1]
    // the columns in which both rows have entries, four at a time
    const blocks = 4 * Math.floor((upper + 1) / 4)
    if (lower < d) {
      for (let j = 0; j < blocks; j += 4) {
        twoByFour(a, upper * d, lower * d, a, j * d, d, j, sums)
        eliminateFour(a, upper, j, d, sums, 0)
        eliminateFour(a, lower, j, d, sums, 4)
      }
    }
    eliminateRow(a, upper, lower < d ? blocks : 0, d)
    if (lower < d) eliminateRow(a, lower, blocks, d)
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

/** Entries of row i of L from column j on: a_ij less the product of rows i and j before it, divided by l_jj. */
function eliminateRow(a: Float64Array, i: number, from: number, d: number): void {
  const row = i * d
  for (let j = from; j <= i; j++) {
    const rest = a[row + j]! - dot(a, row, a, j * d, j)
    a[row + j] = j === i ? Math.sqrt(rest) : rest / a[j * d + j]!
  }
}

/** Columns j to j + 3 of a row, of whose products the part before column j is known: four `sums` from a place on. */
function eliminateFour(a: Float64Array, i: number, j: number, d: number, sums: Float64Array, from: number): void {
  const at = i * d + j
  const [q0, q1, q2, q3] = [j * d + j, (j + 1) * d + j, (j + 2) * d + j, (j + 3) * d + j]
  const l0 = (a[at]! - sums[from]!) / a[q0]!
  const l1 = (a[at + 1]! - sums[from + 1]! - l0 * a[q1]!) / a[q1 + 1]!
  const l2 = (a[at + 2]! - sums[from + 2]! - l0 * a[q2]! - l1 * a[q2 + 1]!) / a[q2 + 2]!
  a[at] = l0
  a[at + 1] = l1
  a[at + 2] = l2
  a[at + 3] = (a[at + 3]! - sums[from + 3]! - l0 * a[q3]! - l1 * a[q3 + 1]! - l2 * a[q3 + 2]!) / a[q3 + 3]!
}

/** Of n numbers from a place in each. */
function dot(a: Float64Array, i: number, b: Float64Array, k: number, n: number): number {
  let sum = 0
  for (let j = 0; j < n; j++) sum += a[i + j]! * b[k + j]!
  return sum
}
