import { breathing } from '../../base/breathe.ts'

/**
 * Solutions of A x = b for a symmetric positive definite A `(d, d)` and the rows b of B `(m, d)`, in place of B, by
 * Cholesky's A = L L^T, in float64. Of A only the lower triangle is read; it becomes L.
 */
export async function solveSymmetric(a: Float64Array, b: Float64Array, d: number): Promise<void> {
  await breathing(Math.ceil(d / 2), (pair) => {
    const [upper, lower] = [2 * pair, 2 * pair + 1]
    // the columns in which both rows have entries, four at a time
    const blocks = 4 * Math.floor((upper + 1) / 4)
    if (lower < d) for (let j = 0; j < blocks; j += 4) eliminateBlock(a, upper, j, d)
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

/** The same for columns j to j + 3 of rows i and i + 1: eight products that share what they read. */
function eliminateBlock(a: Float64Array, i: number, j: number, d: number): void {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let t0 = 0
  let t1 = 0
  let t2 = 0
  let t3 = 0
  for (let k = 0, p = i * d, q = j * d; k < j; k++, p++, q++) {
    const x = a[p]!
    const y = a[p + d]!
    const w0 = a[q]!
    const w1 = a[q + d]!
    const w2 = a[q + 2 * d]!
    const w3 = a[q + 3 * d]!
    s0 += x * w0
    s1 += x * w1
    s2 += x * w2
    s3 += x * w3
    t0 += y * w0
    t1 += y * w1
    t2 += y * w2
    t3 += y * w3
  }
  finishRow(a, i, j, d, s0, s1, s2, s3)
  finishRow(a, i + 1, j, d, t0, t1, t2, t3)
}

/** Four entries of a row, of whose products the part before column j is known. */
function finishRow(
  a: Float64Array,
  i: number,
  j: number,
  d: number,
  s0: number,
  s1: number,
  s2: number,
  s3: number,
): void {
  const at = i * d + j
  const [q0, q1, q2, q3] = [j * d + j, (j + 1) * d + j, (j + 2) * d + j, (j + 3) * d + j]
  const l0 = (a[at]! - s0) / a[q0]!
  const l1 = (a[at + 1]! - s1 - l0 * a[q1]!) / a[q1 + 1]!
  const l2 = (a[at + 2]! - s2 - l0 * a[q2]! - l1 * a[q2 + 1]!) / a[q2 + 2]!
  a[at] = l0
  a[at + 1] = l1
  a[at + 2] = l2
  a[at + 3] = (a[at + 3]! - s3 - l0 * a[q3]! - l1 * a[q3 + 1]! - l2 * a[q3 + 2]!) / a[q3 + 3]!
}

/** Of n numbers from a place in each. */
function dot(a: Float64Array, i: number, b: Float64Array, k: number, n: number): number {
  let sum = 0
  for (let j = 0; j < n; j++) sum += a[i + j]! * b[k + j]!
  return sum
}
