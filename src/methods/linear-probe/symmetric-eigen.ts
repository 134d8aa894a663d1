import { breathe, breathing } from '../../base/breathe.ts'

/** Eigenvalues, largest first, and the eigenvectors as rows `(n, n)`, of length 1 and orthogonal. */
export interface Eigen {
  readonly values: Float64Array
  readonly vectors: Float64Array
}

/**
 * All eigenvalues and eigenvectors of a symmetric matrix `(n, n)`: Householder's reduction to tridiagonal form, then QL
 * with implicit shifts (Golub & Van Loan, Matrix Computations, sections 8.3.1 and 8.3.3). The time grows as n^3, with
 * breaths.
 */
export async function symmetricEigen(matrix: Float64Array, n: number): Promise<Eigen> {
  const a = matrix.slice()
  const { diagonal, beside, reflectors } = await tridiagonal(a, n)
  const vectors = await accumulated(reflectors, n)
  await diagonalise(diagonal, beside, vectors, n)
  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[j]! - diagonal[i]!)
  const sorted = new Float64Array(n * n)
  for (const [to, from] of order.entries()) sorted.set(vectors.subarray(from * n, (from + 1) * n), to * n)
  return { values: Float64Array.from(order, (i) => diagonal[i]!), vectors: sorted }
}

/** I - 2 v v^T, v of length 1, zero before `from`. */
interface Reflector {
  readonly from: number
  readonly v: Float64Array
}

/** H ... H A H ... H = T; `a` is overwritten. `beside[i]` lies between `diagonal[i]` and `diagonal[i + 1]`. */
async function tridiagonal(a: Float64Array, n: number) {
  const diagonal = new Float64Array(n)
  const beside = new Float64Array(n)
  const reflectors: Reflector[] = []
  await breathing(n, (k) => {
    diagonal[k] = a[k * n + k]!
    if (k + 1 === n) return
    // the reflector that turns row k beyond the diagonal into (beside, 0, 0 ...)
    const from = k + 1
    const v = new Float64Array(n)
    let squares = 0
    for (let j = from; j < n; j++) {
      v[j] = a[k * n + j]!
      squares += v[j]! * v[j]!
    }
    const first = v[from]!
    const size = Math.sqrt(squares)
    beside[k] = first > 0 ? -size : size
    v[from] = first - beside[k]!
    const length = Math.sqrt(squares - first * first + v[from]! ** 2)
    if (length === 0) return
    for (let j = from; j < n; j++) v[j]! /= length
    reflectors.push({ from, v })
    // A = A - 2 v w^T - 2 w v^T, w = A v - (v . A v) v
    const w = new Float64Array(n)
    let inner = 0
    for (let i = from; i < n; i++) {
      let sum = 0
      for (let j = from, at = i * n + from; j < n; j++, at++) sum += a[at]! * v[j]!
      w[i] = sum
      inner += sum * v[i]!
    }
    for (let i = from; i < n; i++) w[i]! -= inner * v[i]!
    for (let i = from; i < n; i++) {
      const [vi, wi] = [2 * v[i]!, 2 * w[i]!]
      for (let j = from, at = i * n + from; j < n; j++, at++) a[at]! -= vi * w[j]! + wi * v[j]!
    }
  })
  return { diagonal, beside, reflectors }
}

/** The product of all reflectors, transposed: row j is what the j-th axis of T is in the axes of A. */
async function accumulated(reflectors: readonly Reflector[], n: number): Promise<Float64Array> {
  const q = new Float64Array(n * n)
  for (let i = 0; i < n; i++) q[i * n + i] = 1
  const backwards = reflectors.toReversed()
  await breathing(backwards.length, (k) => {
    const { from, v } = backwards[k]!
    // only rows and columns from `from` on are touched so far
    for (let i = from; i < n; i++) {
      let sum = 0
      for (let j = from, at = i * n + from; j < n; j++, at++) sum += q[at]! * v[j]!
      sum *= 2
      for (let j = from, at = i * n + from; j < n; j++, at++) q[at]! -= sum * v[j]!
    }
  })
  return q
}

const MAX_SWEEPS = 60

/** QL with implicit shifts; rotates rows of `vectors` along. `diagonal` ends as the eigenvalues. */
async function diagonalise(
  diagonal: Float64Array,
  beside: Float64Array,
  vectors: Float64Array,
  n: number,
): Promise<void> {
  for (let low = 0; low < n; low++) {
    for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
      await breathe()
      let high = low
      while (high + 1 < n && !negligible(diagonal, beside, high)) high++
      if (high === low) break
      // the eigenvalue of the leading 2 x 2 block that is nearer to its first entry (Wilkinson's shift)
      const half = (diagonal[low + 1]! - diagonal[low]!) / (2 * beside[low]!)
      const root = Math.hypot(half, 1)
      let g = diagonal[high]! - diagonal[low]! + beside[low]! / (half + (half < 0 ? -root : root))
      let [sine, cosine, pending] = [1, 1, 0]
      let split = false
      for (let i = high - 1; i >= low; i--) {
        const f = sine * beside[i]!
        const b = cosine * beside[i]!
        const r = Math.hypot(f, g)
        beside[i + 1] = r
        if (r === 0) {
          diagonal[i + 1]! -= pending
          beside[high] = 0
          split = true
          break
        }
        sine = f / r
        cosine = g / r
        const before = diagonal[i + 1]! - pending
        const turn = (diagonal[i]! - before) * sine + 2 * cosine * b
        pending = sine * turn
        diagonal[i + 1] = before + pending
        g = cosine * turn - b
        rotateRows(vectors, n, i, cosine, sine)
      }
      if (split) continue
      diagonal[low]! -= pending
      beside[low] = g
      beside[high] = 0
    }
  }
}

function negligible(diagonal: Float64Array, beside: Float64Array, i: number): boolean {
  return Math.abs(beside[i]!) <= Number.EPSILON * (Math.abs(diagonal[i]!) + Math.abs(diagonal[i + 1]!))
}

/** Rows i and i + 1 turned in their plane. */
function rotateRows(rows: Float64Array, n: number, i: number, cosine: number, sine: number): void {
  for (let k = 0, a = i * n, b = (i + 1) * n; k < n; k++, a++, b++) {
    const x = rows[a]!
    const y = rows[b]!
    rows[b] = sine * x + cosine * y
    rows[a] = cosine * x - sine * y
  }
}
