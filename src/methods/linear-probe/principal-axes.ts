import { breathing } from '../../base/breathe.ts'
import { plainProducts, transposed } from './products.ts'
import { symmetricEigen } from './symmetric-eigen.ts'

/** Rows as seen from their mean along their principal axes, all that they span. */
export interface PrincipalAxes {
  /** Number of axes. */
  readonly rank: number
  /** `(rank, d)`, of length 1 and orthogonal. */
  readonly axes: Float64Array
  /** Sum of the squares of the coordinates along each axis, largest first. */
  readonly squares: Float64Array
  readonly mean: Float64Array
  /** `(n, rank + 1)`: the rows, each followed by a 1, whose weight is the intercept. */
  readonly coordinates: Float64Array
}

/** Axes that hold less than this share of the largest are rounding. */
const NOTHING = 1e-12

/**
 * The principal axes of rows `x` `(n, d)`, in float64 and with breaths; the smaller of n and d decides the time, which
 * grows as its cube.
 */
export async function principalAxes(x: ArrayLike<number>, n: number, d: number): Promise<PrincipalAxes> {
  const mean = new Float64Array(d)
  await breathing(n, (i) => {
    for (let j = 0, at = i * d; j < d; j++, at++) mean[j]! += x[at]! / n
  })
  const rows = new Float64Array(n * d)
  await breathing(n, (i) => {
    for (let j = 0, at = i * d; j < d; j++, at++) rows[at] = x[at]! - mean[j]!
  })
  const columns = await transposed(rows, n, d)
  const tall = n >= d
  const gram = tall ? await rowProducts(columns, columns, d, d, n) : await rowProducts(rows, rows, n, n, d)
  const { values, vectors } = await symmetricEigen(gram, tall ? d : n)
  const largest = values[0] ?? 0
  const rank = values.filter((value) => value > NOTHING * largest).length
  const squares = values.slice(0, rank)
  // X^T X q = s q: q is the axis. X X^T u = s u: the axis is X^T u / sqrt(s)
  const axes = tall ? vectors.slice(0, rank * d) : unitRows(await rowProducts(vectors, columns, rank, d, n), d)
  const along = await rowProducts(rows, axes, n, rank, d)
  const coordinates = new Float64Array(n * (rank + 1)).fill(1)
  for (let i = 0; i < n; i++) coordinates.set(along.subarray(i * rank, (i + 1) * rank), i * (rank + 1))
  return { rank, axes, squares, mean, coordinates }
}

/** a b^T of rows `(n, d)` and `(m, d)`, which is `(n, m)`. */
const rowProducts = (a: Float64Array, b: Float64Array, n: number, m: number, d: number): Promise<Float64Array> =>
  plainProducts(a, n, d).outputs(b, m)

function unitRows(a: Float64Array, d: number): Float64Array {
  for (let start = 0; start < a.length; start += d) {
    const row = a.subarray(start, start + d)
    const length = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0))
    for (let j = 0; j < d; j++) row[j]! /= length
  }
  return a
}
