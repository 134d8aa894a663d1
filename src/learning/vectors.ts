import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'

/** Rows `(n, d)` divided by their length; a row of zeros stays. */
export function normaliseRows(x: FloatTensor): FloatTensor {
  const { shape, data } = x
  const [n, d] = dims(x, 2)
  const rows = floatTensor(shape)
  for (let i = 0; i < n; i++) {
    let squares = 0
    for (let j = 0; j < d; j++) squares += data[i * d + j]! ** 2
    const length = Math.sqrt(squares) || 1
    for (let j = 0; j < d; j++) rows.data[i * d + j] = data[i * d + j]! / length
  }
  return rows
}

/** exp(x / temperature) / sum exp(x / temperature) of each row `(n, d)`. */
export function softmaxRows(x: FloatTensor, temperature = 1): FloatTensor {
  const { shape, data } = x
  const [n, d] = dims(x, 2)
  const rows = floatTensor(shape)
  for (let i = 0; i < n; i++) {
    const row = data.subarray(i * d, (i + 1) * d)
    const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const weights = Array.from(row, (x) => Math.exp((x - largest) / temperature))
    const total = weights.reduce((a, b) => a + b, 0)
    rows.data.set(
      weights.map((w) => w / total),
      i * d,
    )
  }
  return rows
}

/** Column of the largest entry of each row `(n, d)`; the first of several. */
export function argmaxRows(x: FloatTensor): number[] {
  const { data } = x
  const [n, d] = dims(x, 2)
  return Array.from({ length: n }, (_, i) => {
    let best = 0
    for (let j = 1; j < d; j++) if (data[i * d + j]! > data[i * d + best]!) best = j
    return best
  })
}
