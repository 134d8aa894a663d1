import { describe, expect, it } from 'vitest'
import { evaluate, randomTensor, worstError } from '../testing/engine.ts'
import {
  averagePool,
  batchNorm,
  conv2d,
  crossEntropy,
  type FloatTensor,
  flip,
  frozenBatchNorm,
  Graph,
  gather,
  gelu,
  intTensor,
  l2Normalise,
  layerNorm,
  logSoftmax,
  matmul,
  mean,
  mul,
  pad,
  quickGelu,
  reshape,
  type Shape,
  scatterAdd,
  softmax,
  split,
  sumSquares,
  transpose,
  type Value,
} from './index.ts'

// Values against plain loops over the definition.

type At = (...index: number[]) => number

/** Reads an entry of a tensor by its index; outside of it stand zeros. */
function reader({ shape, data }: FloatTensor): At {
  return (...index) => {
    if (index.some((i, axis) => i < 0 || i >= (shape[axis] ?? 0))) return 0
    return data[index.reduce((offset, i, axis) => offset * (shape[axis] ?? 0) + i, 0)] ?? 0
  }
}

/** Every index of a shape, in row-major order. */
const indices = (shape: Shape): number[][] =>
  shape.reduce<number[][]>((all, n) => all.flatMap((head) => range(n).map((i) => [...head, i])), [[]])

const range = (n: number) => Array.from({ length: n }, (_, i) => i)
const total = (terms: readonly number[]) => terms.reduce((a, b) => a + b, 0)

/** Runs `build` on random tensors of the given shapes and compares it with `expected`, entry by entry. */
async function compare(
  shapes: readonly Shape[],
  build: (...xs: Value[]) => Value,
  expected: (index: readonly number[], ...xs: At[]) => number,
) {
  const graph = new Graph()
  const tensors = shapes.map((shape, i) => randomTensor(shape, i + 1, (u) => 2 * u))
  const y = build(...shapes.map((shape, i) => graph.input(`x${i}`, shape)))
  const values = await evaluate({ y }, Object.fromEntries(tensors.map((x, i) => [`x${i}`, x])))
  expect(values.y.shape).toEqual(y.shape)
  const readers = tensors.map(reader)
  expect(
    worstError(
      values.y.data,
      indices(y.shape).map((index) => expected(index, ...readers)),
    ),
  ).toBeLessThan(1e-5)
}

describe('conv2d', () => {
  const cases = [1, 2, 3].flatMap((k) =>
    [1, 2, 3].flatMap((stride) => range(k).map((padding) => ({ k, stride, padding }))),
  )
  it.each(cases)('kernel $k, stride $stride, padding $padding', ({ k, stride, padding }) =>
    compare(
      [
        [2, 3, 5, 6],
        [4, 3, k, k],
      ],
      (x, w) => conv2d(x, w, { stride, padding }),
      ([n = 0, o = 0, i = 0, j = 0], x, w) =>
        total(
          indices([3, k, k]).map(
            ([c = 0, u = 0, v = 0]) => x(n, c, i * stride + u - padding, j * stride + v - padding) * w(o, c, u, v),
          ),
        ),
    ),
  )
})

it('averagePool', () =>
  compare(
    [[2, 3, 6, 9]],
    (x) => averagePool(x, 3),
    ([n = 0, c = 0, i = 0, j = 0], x) =>
      total(indices([3, 3]).map(([u = 0, v = 0]) => x(n, c, 3 * i + u, 3 * j + v))) / 9,
  ))

describe('matmul', () => {
  const [m, k, n] = [2, 3, 4]
  const forms = [false, true].flatMap((transA) =>
    [false, true].flatMap((transB) => [1, 0.125].map((alpha) => ({ transA, transB, alpha }))),
  )
  // Leading axes of a and of b, and those of the product.
  const leading: readonly (readonly [Shape, Shape, Shape])[] = [
    [[], [], []],
    [[5], [], [5]],
    [[], [5], [5]],
    [[5], [5], [5]],
    [[2, 1], [3], [2, 3]],
    [
      [1, 3],
      [2, 1],
      [2, 3],
    ],
  ]
  const rows = forms.flatMap((options) => leading.map(([a, b, y]) => ({ ...options, a, b, y })))

  it.each(rows)('transA $transA, transB $transB, alpha $alpha, ($a) x ($b)', async ({ a, b, ...options }) => {
    const { transA, transB, alpha } = options
    const aShape = [...a, ...(transA ? [k, m] : [m, k])]
    const bShape = [...b, ...(transB ? [n, k] : [k, n])]
    /** The index into an operand: its own leading axes, of which those of length 1 are broadcast. */
    const own = (shape: Shape, lead: readonly number[]) =>
      lead.slice(lead.length - shape.length).map((i, axis) => (shape[axis] === 1 ? 0 : i))
    await compare(
      [aShape, bShape],
      (x, y) => matmul(x, y, options),
      (index, x, y) => {
        const lead = index.slice(0, -2)
        const [i = 0, j = 0] = index.slice(-2)
        const products = range(k).map((s) => {
          const left = transA ? [s, i] : [i, s]
          const right = transB ? [j, s] : [s, j]
          return x(...own(a, lead), ...left) * y(...own(b, lead), ...right)
        })
        return alpha * total(products)
      },
    )
  })
})

describe('normalisation', () => {
  it('layerNorm', () =>
    compare(
      [[2, 3, 5], [5], [5]],
      (x, gamma, beta) => layerNorm(x, gamma, beta, 1e-3),
      ([i = 0, j = 0, c = 0], x, gamma, beta) => {
        const { mu, variance } = moments(range(5).map((s) => x(i, j, s)))
        return ((x(i, j, c) - mu) / Math.sqrt(variance + 1e-3)) * gamma(c) + beta(c)
      },
    ))

  it.each([0, 1, 2, 3])('batchNorm, channels on axis %i', async (axis) => {
    const shape = [2, 3, 4, 5]
    const channels = [shape[axis] ?? 0]
    const ofChannel = (c: number, x: At) =>
      moments(
        indices(shape)
          .filter((i) => i[axis] === c)
          .map((i) => x(...i)),
      )
    await compare(
      [shape, channels, channels],
      (x, gamma, beta) => batchNorm(x, gamma, beta, axis, 1e-3).y,
      (index, x, gamma, beta) => {
        const c = index[axis] ?? 0
        const { mu, variance } = ofChannel(c, x)
        return ((x(...index) - mu) / Math.sqrt(variance + 1e-3)) * gamma(c) + beta(c)
      },
    )
    const statistics = (x: Value) => batchNorm(x, mean(x, others), mean(x, others), axis, 1e-3)
    const others = range(4).filter((i) => i !== axis)
    await compare(
      [shape],
      (x) => statistics(x).mean,
      ([c = 0], x) => ofChannel(c, x).mu,
    )
    await compare(
      [shape],
      (x) => statistics(x).variance,
      ([c = 0], x) => ofChannel(c, x).variance,
    )
  })

  it('frozenBatchNorm', () =>
    compare(
      [[2, 3, 4, 5], [3], [3], [3], [3]],
      (x, gamma, beta, mu, root) => frozenBatchNorm(x, gamma, beta, mu, mul(root, root), 1e-3),
      ([n = 0, c = 0, i = 0, j = 0], x, gamma, beta, mu, root) =>
        ((x(n, c, i, j) - mu(c)) / Math.sqrt(root(c) ** 2 + 1e-3)) * gamma(c) + beta(c),
    ))

  it('softmax, logSoftmax and cross-entropy', async () => {
    const row = (i: number, x: At) => range(4).map((j) => Math.exp(x(i, j)))
    const probability = (i: number, j: number, x: At) => Math.exp(x(i, j)) / total(row(i, x))
    await compare([[3, 4]], softmax, ([i = 0, j = 0], x) => probability(i, j, x))
    await compare([[3, 4]], logSoftmax, ([i = 0, j = 0], x) => Math.log(probability(i, j, x)))
    await compare(
      [
        [3, 4],
        [3, 4],
      ],
      crossEntropy,
      (_, x, t) => total(indices([3, 4]).map(([i = 0, j = 0]) => -t(i, j) * Math.log(probability(i, j, x)))) / 3,
    )
  })

  it('l2Normalise', () =>
    compare([[3, 4]], l2Normalise, ([i = 0, j = 0], x) => x(i, j) / Math.hypot(...range(4).map((s) => x(i, s)))))
})

function moments(values: readonly number[]) {
  const mu = total(values) / values.length
  return { mu, variance: total(values.map((x) => (x - mu) ** 2)) / values.length }
}

describe('rows of tables', () => {
  const rows = [3, 0, 3, 1]
  const constant = (x: Value) => x.graph.constant(intTensor([4], rows))

  it('gather', () =>
    compare(
      [[5, 2]],
      (x) => gather(x, constant(x)),
      ([i = 0, c = 0], x) => x(rows[i] ?? 0, c),
    ))

  it('gather by a table of indices', () =>
    compare(
      [[5, 2]],
      (x) => gather(x, reshape(constant(x), [2, 2])),
      ([i = 0, j = 0, c = 0], x) => x(rows[2 * i + j] ?? 0, c),
    ))

  const added = (i: number, pick: (n: number) => number) =>
    total(rows.flatMap((row, n) => (row === i ? [pick(n)] : [])))

  it.each<[Shape]>([[[]], [[2]], [[2, 3]]])('scatterAdd of rows (%s)', (row) =>
    compare(
      [[4, ...row]],
      (x) => scatterAdd([5, ...row], constant(x), x),
      ([i = 0, ...rest], x) => added(i, (n) => x(n, ...rest)),
    ),
  )
})

describe('elements and axes', () => {
  it('quickGelu', () => compare([[9]], quickGelu, ([i = 0], x) => x(i) / (1 + Math.exp(-1.702 * x(i)))))

  it('gelu is x Phi(x) and not the tanh form', () => {
    // Phi by Simpson's rule from 0
    const phi = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI)
    const Phi = (x: number) =>
      0.5 + (x / 300) * total(range(101).map((i) => phi((x * i) / 100) * (i % 100 === 0 ? 1 : i % 2 === 0 ? 2 : 4)))
    return compare([[9]], gelu, ([i = 0], x) => x(i) * Phi(x(i)))
  })

  it('transpose', () =>
    compare(
      [[2, 3, 4]],
      (x) => transpose(x, [2, 0, 1]),
      ([i = 0, j = 0, k = 0], x) => x(j, k, i),
    ))
  it('flip', () =>
    compare(
      [[2, 3]],
      (x) => flip(x, [1]),
      ([i = 0, j = 0], x) => x(i, 2 - j),
    ))
  it('split', () =>
    compare(
      [[2, 5]],
      (x) => split(x, 1, [1, 3, 1])[1],
      ([i = 0, j = 0], x) => x(i, 1 + j),
    ))
  it('pad', () =>
    compare(
      [[2, 3]],
      (x) => pad(x, [1, 0], [0, 2]),
      ([i = 0, j = 0], x) => x(i - 1, j),
    ))
  it('sumSquares', () =>
    compare(
      [[2, 3]],
      (x) => sumSquares(x, [1]),
      ([i = 0], x) => total(range(3).map((j) => x(i, j) ** 2)),
    ))
})
