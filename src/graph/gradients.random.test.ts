import fc from 'fast-check'
import { describe, it } from 'vitest'
import { checkGradient } from '../testing/gradient-check.ts'
import {
  add,
  batchNorm,
  concat,
  conv2d,
  div,
  flip,
  layerNorm,
  matmul,
  mean,
  mul,
  pad,
  type Shape,
  slice,
  softmax,
  sub,
  sum,
  sumSquares,
  transpose,
  type Value,
} from './index.ts'

const RUNS = { numRuns: 12 }

const length = fc.integer({ min: 1, max: 3 })
const shapes = (minLength: number) => fc.array(length, { minLength, maxLength: 4 })

/** A shape that broadcasts to the given one: some leading axes gone, some axes of length 1. */
const smaller = (shape: Shape) =>
  fc
    .tuple(fc.integer({ min: 0, max: shape.length }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
    .map(([skip, ones]) => shape.map((n, i) => (ones[i] ? 1 : n)).slice(skip))

const broadcastPair = shapes(0).chain((shape) => fc.tuple(smaller(shape), smaller(shape)))
const seed = fc.integer({ min: 1, max: 1_000_000 })

describe('gradients of random shapes agree with finite differences', () => {
  it.each([
    ['add', add, true],
    ['sub', sub, true],
    ['mul', mul, true],
    ['div', div, false],
  ] as const)('%s broadcasts', (_, build, exact) =>
    fc.assert(
      fc.asyncProperty(broadcastPair, seed, ([a, b], s) =>
        checkGradient({ shapes: [a, b], build, exact, domain: (u) => 1.5 + u }, s, 1),
      ),
      RUNS,
    ),
  )

  it('matmul', () =>
    fc.assert(
      fc.asyncProperty(
        broadcastPair,
        fc.tuple(length, length, length),
        fc.record({ transA: fc.boolean(), transB: fc.boolean(), alpha: fc.constantFrom(1, 2, -0.25) }),
        seed,
        ([a, b], [m, k, n], options, s) => {
          const left = [...a.slice(-2), ...(options.transA ? [k, m] : [m, k])]
          const right = [...b.slice(-2), ...(options.transB ? [n, k] : [k, n])]
          return checkGradient({ shapes: [left, right], build: (x, y) => matmul(x, y, options), exact: true }, s, 1)
        },
      ),
      { numRuns: 30 },
    ))

  it.each([
    ['sum', sum],
    ['mean', mean],
    ['sumSquares', sumSquares],
  ] as const)('%s over any axes', (_, reduce) =>
    fc.assert(
      fc.asyncProperty(
        shapes(1).chain((shape) => fc.tuple(fc.constant(shape), fc.subarray([...shape.keys()]), fc.boolean())),
        seed,
        ([shape, axes, keep], s) =>
          checkGradient({ shapes: [shape], build: (x) => reduce(x, axes, keep), exact: true }, s, 1),
      ),
      RUNS,
    ),
  )

  it('transpose, flip, pad, slice and concat one after the other', () =>
    fc.assert(
      fc.asyncProperty(
        shapes(1).chain((shape) => {
          const axes = [...shape.keys()]
          const widths = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: axes.length, maxLength: axes.length })
          const perm = fc.shuffledSubarray(axes, { minLength: axes.length })
          return fc.tuple(fc.constant(shape), perm, fc.subarray(axes, { minLength: 1 }), widths, widths)
        }),
        seed,
        ([shape, perm, axes, before, after], s) => {
          const build = (x: Value) => {
            const y = flip(pad(transpose(x, perm), before, after), axes)
            const [axis = 0] = axes
            const end = y.shape[axis] ?? 0
            return concat([slice(y, axis, Math.floor(end / 2), end), y], axis)
          }
          return checkGradient({ shapes: [shape], build, exact: true }, s, 1)
        },
      ),
      { numRuns: 25 },
    ))

  it('conv2d', () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({ n: length, cin: length, cout: length, k: length, stride: length }),
        fc.integer({ min: 3, max: 7 }),
        fc.integer({ min: 3, max: 7 }),
        fc.nat(),
        seed,
        ({ n, cin, cout, k, stride }, h, w, p, s) => {
          const build = (x: Value, kernel: Value) => conv2d(x, kernel, { stride, padding: p % k })
          return checkGradient(
            {
              shapes: [
                [n, cin, h, w],
                [cout, cin, k, k],
              ],
              build,
              exact: true,
            },
            s,
            1,
          )
        },
      ),
      { numRuns: 25 },
    ))

  it('normalisations', () =>
    fc.assert(
      fc.asyncProperty(
        fc.tuple(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 3, max: 5 }), fc.integer({ min: 2, max: 4 })),
        fc.integer({ min: 0, max: 2 }),
        seed,
        async (shape, axis, s) => {
          const width = [shape[2]]
          const channels = [shape[axis] ?? 0]
          const domain = (u: number) => 2 * u
          const tolerance = 3e-4
          await checkGradient({ shapes: [shape], build: softmax, domain }, s, 1)
          const layer = (x: Value, gamma: Value, beta: Value) => layerNorm(x, gamma, beta, 0.1)
          await checkGradient({ shapes: [shape, width, width], build: layer, domain, tolerance }, s, 1)
          const batch = (x: Value, gamma: Value, beta: Value) => batchNorm(x, gamma, beta, axis, 0.1).y
          await checkGradient({ shapes: [shape, channels, channels], build: batch, domain, tolerance }, s, 1)
        },
      ),
      RUNS,
    ))
})
