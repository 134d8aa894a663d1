import type { Optimiser } from '../../learning/optimisers.ts'

/** Optimisers that the study of recipes tried, and that are no recipe. Both fit one pass of the tower a step. */

/** Muon's polynomial, five times of which takes singular values between 0 and 1 to about 1. */
const [A, B, C] = [3.4445, -4.775, 2.0315]

/**
 * Muon (Jordan 2024): the mean of the gradients, made orthogonal, over blocks of `rows` vectors of `width` numbers. Each
 * vector moves by a root mean square of the learning rate, at right angles to how the others do.
 *
 *     m = beta m + (1 - beta) g,   x = x - lr sqrt(width) (m m')^(-1/2) m
 */
export const muon =
  (beta: number, rows: number, width: number): Optimiser =>
  (values) => {
    const mean = new Float32Array(values.length)
    return {
      buffers: { mean },
      update(gradient, learningRate) {
        for (let i = 0; i < mean.length; i++) mean[i] = beta * mean[i]! + (1 - beta) * gradient[i]!
        for (let at = 0; at < mean.length; at += rows * width) {
          const block = mean.subarray(at, at + rows * width)
          const turn = inverseRoot(block, rows, width)
          for (let i = 0; i < rows; i++) {
            for (let k = 0; k < rows; k++) {
              const by = learningRate * Math.sqrt(width) * turn[i * rows + k]!
              for (let j = 0; j < width; j++) values[at + i * width + j]! -= by * block[k * width + j]!
            }
          }
        }
      },
    }
  }

/** About (x x')^(-1/2) of `x` `(n, d)`, `(n, n)`, by Newton-Schulz on x x' alone. */
function inverseRoot(x: Float32Array, n: number, d: number): Float64Array {
  const gram = new Float64Array(n * n)
  let trace = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < d; k++) gram[i * n + j]! += x[i * d + k]! * x[j * d + k]!
    }
    trace += gram[i * n + i]!
  }
  const scale = 1 / (Math.sqrt(trace) + 1e-30)
  const start = gram.map((v) => v * scale * scale)
  let root = new Float64Array(n * n)
  for (let i = 0; i < n; i++) root[i * n + i] = 1
  for (let round = 0; round < 5; round++) {
    const now = product(product(root, start, n), root, n)
    const step = product(now, now, n).map((v, i) => C * v + B * now[i]!)
    for (let i = 0; i < n; i++) step[i * n + i]! += A
    root = product(step, root, n)
  }
  return root.map((v) => v * scale)
}

/** Product of two `(n, n)`. */
function product(a: Float64Array, b: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const c = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      for (let j = 0; j < n; j++) c[i * n + j]! += a[i * n + k]! * b[k * n + j]!
    }
  }
  return c
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)

/**
 * L-BFGS (Nocedal 1980) of `memory` pairs without a line search, so that a step is a pass: no step is longer than a root
 * mean square of the learning rate, and y is damped until s'y >= |s| |y| / 20. In a study nothing is resumed: no buffers.
 */
export const lbfgs =
  (memory: number): Optimiser =>
  (values) => {
    const pairs: { s: Float64Array; y: Float64Array }[] = []
    let before: { values: Float64Array; gradient: Float64Array } | undefined
    return {
      buffers: {},
      update(gradient, learningRate) {
        const g = Float64Array.from(gradient)
        if (before !== undefined) {
          const { values: x, gradient: last } = before
          pairs.push(
            damped(
              Float64Array.from(values).map((v, i) => v - x[i]!),
              g.map((v, i) => v - last[i]!),
            ),
          )
          if (pairs.length > memory) pairs.shift()
        }
        before = { values: Float64Array.from(values), gradient: g }
        const q = g.slice()
        const shares = pairs.toReversed().map(({ s, y }) => {
          const share = dot(s, q) / dot(s, y)
          for (let i = 0; i < q.length; i++) q[i]! -= share * y[i]!
          return share
        })
        const newest = pairs.at(-1)
        const scale = newest === undefined ? 1 : dot(newest.s, newest.y) / dot(newest.y, newest.y)
        for (let i = 0; i < q.length; i++) q[i]! *= scale
        for (const [k, { s, y }] of pairs.entries()) {
          const more = (shares[pairs.length - 1 - k] ?? 0) - dot(y, q) / dot(s, y)
          for (let i = 0; i < q.length; i++) q[i]! += more * s[i]!
        }
        const longest = learningRate / (Math.sqrt(dot(q, q) / q.length) + 1e-30)
        const by = newest === undefined ? longest : Math.min(1, longest)
        for (let i = 0; i < q.length; i++) values[i]! -= by * q[i]!
      },
    }
  }

function damped(s: Float64Array, y: Float64Array): { s: Float64Array; y: Float64Array } {
  const [found, least] = [dot(s, y), Math.sqrt(dot(s, s) * dot(y, y)) / 20]
  const more = found < least ? (least - found) / dot(s, s) : 0
  return { s, y: y.map((v, i) => v + more * s[i]!) }
}
