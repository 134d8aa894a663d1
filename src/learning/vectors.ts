import { type FloatTensor, floatTensor } from '../graph/tensor.ts'

/** Rows `(n, d)` divided by their length; a row of zeros stays. */
export function normaliseRows({ shape, data }: FloatTensor): FloatTensor {
  const [n = 0, d = 0] = shape
  const rows = floatTensor(shape)
  for (let i = 0; i < n; i++) {
    let squares = 0
    for (let j = 0; j < d; j++) squares += data[i * d + j]! ** 2
    const length = Math.sqrt(squares) || 1
    for (let j = 0; j < d; j++) rows.data[i * d + j] = data[i * d + j]! / length
  }
  return rows
}

/** The inner products of all rows: a `(n, d)`, b `(m, d)` -> `(n, m)`, times a factor. */
export function rowProducts(a: FloatTensor, b: FloatTensor, factor = 1): FloatTensor {
  const [n = 0, d = 0] = a.shape
  const [m = 0] = b.shape
  const products = floatTensor([n, m])
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < m; k++) {
      let sum = 0
      for (let j = 0; j < d; j++) sum += a.data[i * d + j]! * b.data[k * d + j]!
      products.data[i * m + k] = factor * sum
    }
  }
  return products
}

/** exp(x) / sum exp(x) of each row `(n, d)`. */
export function softmaxRows({ shape, data }: FloatTensor): FloatTensor {
  const [n = 0, d = 0] = shape
  const rows = floatTensor(shape)
  for (let i = 0; i < n; i++) {
    const row = data.subarray(i * d, (i + 1) * d)
    const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const weights = Array.from(row, (x) => Math.exp(x - largest))
    const total = weights.reduce((a, b) => a + b, 0)
    rows.data.set(
      weights.map((w) => w / total),
      i * d,
    )
  }
  return rows
}

/** Column of the largest entry of each row `(n, d)`; the first of several. */
export function argmaxRows({ shape, data }: FloatTensor): number[] {
  const [n = 0, d = 0] = shape
  return Array.from({ length: n }, (_, i) => {
    let best = 0
    for (let j = 1; j < d; j++) if (data[i * d + j]! > data[i * d + best]!) best = j
    return best
  })
}
