import { describe, expect, it } from 'vitest'
import { randomTensor } from '../testing/engine.ts'
import { checkGradient, type GradientCase } from '../testing/gradient-check.ts'
import * as graphModule from './index.ts'
import {
  add,
  averagePool,
  batchNorm,
  concat,
  conv2d,
  crossEntropy,
  div,
  erf,
  exp,
  expand,
  flip,
  frozenBatchNorm,
  type Graph,
  gather,
  gelu,
  intTensor,
  l2Normalise,
  layerNorm,
  log,
  logSoftmax,
  type MatmulOptions,
  matmul,
  mean,
  mul,
  neg,
  normalisedProduct,
  pad,
  positive,
  quickGelu,
  reciprocal,
  relu,
  reshape,
  type Shape,
  scale,
  scatterAdd,
  sigmoid,
  silu,
  slice,
  softmax,
  split,
  sqrt,
  sub,
  sum,
  sumOfCopies,
  sumSquares,
  transpose,
  where,
  withGradient,
} from './index.ts'

const aboveZero = (u: number) => 1.5 + u
const awayFromZero = (u: number) => u + (u < 0 ? -0.2 : 0.2)
const wide = (u: number) => 3 * u

/** A mask of random places. */
const mask = (graph: Graph, shape: Shape) => positive(graph.constant(randomTensor(shape, 7)))
const rows = (graph: Graph, ...indices: number[]) => graph.constant(intTensor([indices.length], indices))
/** Mean and variance of so many channels. */
const statistics = (graph: Graph, channels: number) =>
  [graph.constant(randomTensor([channels], 8)), graph.constant(randomTensor([channels], 9, aboveZero))] as const

type Row = GradientCase & { readonly operator: keyof typeof graphModule; readonly form?: string }

const ELEMENTWISE: readonly Row[] = [
  {
    operator: 'add',
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: add,
    exact: true,
  },
  {
    operator: 'add',
    form: 'broadcast',
    shapes: [
      [2, 1, 3],
      [4, 1],
    ],
    build: add,
    exact: true,
  },
  { operator: 'add', form: 'scalar', shapes: [[], [2, 2]], build: add, exact: true },
  { operator: 'sub', shapes: [[3], [2, 3]], build: sub, exact: true },
  { operator: 'mul', shapes: [[2, 3], [3]], build: mul, exact: true },
  { operator: 'mul', form: 'a square', shapes: [[5]], build: (x) => mul(x, x), exact: true },
  {
    operator: 'div',
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: div,
    domain: aboveZero,
  },
  { operator: 'scale', shapes: [[4]], build: (x) => scale(x, -2.5), exact: true },
  { operator: 'neg', shapes: [[4]], build: neg, exact: true },
  { operator: 'exp', shapes: [[4]], build: exp },
  { operator: 'log', shapes: [[4]], build: log, domain: aboveZero },
  { operator: 'sqrt', shapes: [[4]], build: sqrt, domain: aboveZero },
  { operator: 'reciprocal', shapes: [[4]], build: reciprocal, domain: aboveZero },
  { operator: 'erf', shapes: [[6]], build: erf, domain: wide },
  { operator: 'sigmoid', shapes: [[6]], build: sigmoid, domain: wide },
  { operator: 'silu', shapes: [[6]], build: silu, domain: wide },
  { operator: 'relu', form: 'away from 0', shapes: [[8]], build: relu, domain: awayFromZero },
  { operator: 'quickGelu', shapes: [[8]], build: quickGelu, domain: wide },
  { operator: 'gelu', shapes: [[8]], build: gelu, domain: wide },
  { operator: 'where', shapes: [[3, 2], [2]], build: (a, b) => where(mask(a.graph, [3, 1]), a, b), exact: true },
  {
    operator: 'withGradient',
    shapes: [[3]],
    build: (x) => withGradient(exp(x), [x], (dy) => [mul(dy, exp(x))]),
  },
]

const MATMUL_SHAPES: readonly (readonly [Shape, Shape])[] = [
  [
    [2, 3],
    [3, 4],
  ],
  [
    [5, 2, 3],
    [3, 4],
  ],
  [
    [2, 3],
    [5, 3, 4],
  ],
  [
    [5, 2, 3],
    [5, 3, 4],
  ],
  [
    [2, 1, 2, 3],
    [3, 3, 4],
  ],
]

/** A shape with its last two axes turned, where the operand is to be read transposed. */
const turned = (shape: Shape, yes: boolean) => (yes ? [...shape.slice(0, -2), ...shape.slice(-2).reverse()] : shape)

const MATMUL: readonly Row[] = MATMUL_SHAPES.flatMap(([a, b]) =>
  [false, true].flatMap((transA) =>
    [false, true].flatMap((transB) =>
      [1, -0.5].map((alpha): Row => {
        const options: MatmulOptions = { transA, transB, alpha }
        return {
          operator: 'matmul',
          form: JSON.stringify(options),
          shapes: [turned(a, transA), turned(b, transB)],
          build: (x, y) => matmul(x, y, options),
          exact: true,
        }
      }),
    ),
  ),
)

const SHAPING: readonly Row[] = [
  { operator: 'reshape', shapes: [[2, 6]], build: (x) => reshape(x, [3, -1]), exact: true },
  { operator: 'transpose', shapes: [[2, 3, 4]], build: (x) => transpose(x, [2, 0, 1]), exact: true },
  { operator: 'slice', shapes: [[2, 5]], build: (x) => slice(x, 1, 1, 4), exact: true },
  { operator: 'slice', form: 'nothing', shapes: [[2, 5]], build: (x) => slice(x, 1, 3, 3), exact: true },
  { operator: 'flip', shapes: [[2, 3, 2]], build: (x) => flip(x, [0, 1]), exact: true },
  { operator: 'pad', shapes: [[2, 3]], build: (x) => pad(x, [0, 2], [1, 0]), exact: true },
  {
    operator: 'concat',
    shapes: [
      [2, 1],
      [2, 3],
      [2, 2],
    ],
    build: (...xs) => concat(xs, 1),
    exact: true,
  },
  { operator: 'concat', form: 'twice the same', shapes: [[2, 2]], build: (x) => concat([x, x], 0), exact: true },
  {
    operator: 'split',
    shapes: [[2, 6]],
    build: (x) => {
      const [a, b, c] = split(x, 1, [2, 1, 3])
      return concat([mul(a, a), mul(b, a), c, a], 1)
    },
    exact: true,
  },
  { operator: 'split', form: 'a part unused', shapes: [[2, 5]], build: (x) => split(x, 1, [1, 3, 1])[1], exact: true },
  { operator: 'split', form: 'one part', shapes: [[2, 5]], build: (x) => split(x, 1, [5])[0], exact: true },
  { operator: 'expand', shapes: [[3, 1]], build: (x) => expand(x, [2, 3, 4]), exact: true },
  { operator: 'sumOfCopies', shapes: [[5, 2]], build: (x) => sumOfCopies(4, [3, 0, -1, 3, 1], x), exact: true },
  {
    operator: 'gather',
    form: 'of rows that are fed',
    shapes: [[4, 2]],
    build: (x) => gather(x, mul(rows(x.graph, 3, 0, 3, 1), rows(x.graph, 1))),
    exact: true,
  },
  { operator: 'gather', shapes: [[4, 2]], build: (x) => gather(x, rows(x.graph, 3, 0, 3, 3, 1)), exact: true },
  {
    operator: 'gather',
    form: 'a table of indices',
    shapes: [[4, 2]],
    build: (x) => gather(x, reshape(rows(x.graph, 3, 0, 3, 2), [2, 2])),
    exact: true,
  },
  {
    operator: 'scatterAdd',
    shapes: [[4, 2]],
    build: (x) => scatterAdd([3, 2], rows(x.graph, 2, 0, 2, 2), x),
    exact: true,
  },
]

const REDUCTIONS: readonly Row[] = [
  { operator: 'sum', shapes: [[2, 3, 4]], build: (x) => sum(x, [0, 2]), exact: true },
  { operator: 'sum', form: 'no axes', shapes: [[3]], build: (x) => sum(x, []), exact: true },
  { operator: 'mean', shapes: [[2, 3, 4]], build: (x) => mean(x, [1], true), exact: true },
  { operator: 'sumSquares', shapes: [[2, 3]], build: (x) => sumSquares(x, [1]), exact: true },
  { operator: 'sumSquares', form: 'no axes', shapes: [[3]], build: (x) => sumSquares(x, []), exact: true },
]

const NORMALISATION: readonly Row[] = [
  { operator: 'softmax', shapes: [[3, 4]], build: softmax, domain: wide },
  { operator: 'logSoftmax', shapes: [[3, 4]], build: logSoftmax, domain: wide },
  {
    operator: 'crossEntropy',
    shapes: [
      [3, 4],
      [3, 4],
    ],
    build: crossEntropy,
    domain: wide,
  },
  { operator: 'l2Normalise', shapes: [[3, 4]], build: l2Normalise, domain: awayFromZero },
  {
    operator: 'normalisedProduct',
    form: 'of what is learned',
    shapes: [[3, 5], [5], [5], [4, 5]],
    build: (x, g, b, W) => normalisedProduct(x, g, b, 1e-5, W, 0.7),
  },
  {
    operator: 'normalisedProduct',
    form: 'of constants',
    shapes: [[3, 5], [5]],
    build: (x, b) => {
      const [g, W] = [x.graph.constant(randomTensor([5], 8)), x.graph.constant(randomTensor([4, 5], 9))]
      return normalisedProduct(x, g, b, 1e-5, W, 0.7)
    },
  },
  {
    operator: 'layerNorm',
    shapes: [[2, 3, 6], [6], [6]],
    build: (x, g, b) => layerNorm(x, g, b, 1e-5),
    domain: wide,
    tolerance: 1e-4,
  },
  {
    operator: 'batchNorm',
    form: 'last axis',
    shapes: [[4, 5, 2], [2], [2]],
    build: (x, g, b) => batchNorm(x, g, b, 2, 1e-5).y,
    domain: wide,
  },
  {
    operator: 'batchNorm',
    form: 'axis 1',
    shapes: [[3, 2, 3, 2], [2], [2]],
    build: (x, g, b) => batchNorm(x, g, b, 1, 1e-5).y,
    domain: wide,
  },
  {
    operator: 'frozenBatchNorm',
    shapes: [[3, 2, 3, 2], [2], [2]],
    build: (x, g, b) => frozenBatchNorm(x, g, b, ...statistics(x.graph, 2), 1e-5),
    exact: true,
  },
]

const CONVOLUTION: readonly Row[] = [
  ...[1, 2, 3].flatMap((k) =>
    [1, 2].flatMap((stride) =>
      [0, 1].flatMap((padding) =>
        // An odd and an even side: with stride 2 one of them leaves a row of pixels over.
        padding < k
          ? [
              {
                operator: 'conv2d',
                form: JSON.stringify({ k, stride, padding }),
                shapes: [
                  [2, 3, 5, 6],
                  [2, 3, k, k],
                ],
                build: (x, w) => conv2d(x, w, { stride, padding }),
                exact: true,
              } satisfies Row,
            ]
          : [],
      ),
    ),
  ),
  { operator: 'averagePool', shapes: [[2, 2, 4, 6]], build: (x) => averagePool(x, 2), exact: true },
]

const TABLE = [...ELEMENTWISE, ...MATMUL, ...SHAPING, ...REDUCTIONS, ...NORMALISATION, ...CONVOLUTION]

describe('gradients agree with finite differences', () => {
  it.each(TABLE.map((row) => ({ ...row, title: `${row.operator} ${row.form ?? ''} (${row.shapes.join(') (')})` })))(
    '$title',
    (row) => checkGradient(row),
  )

  it('for every operator of the module', () => {
    const others = ['Graph', 'Value', 'gradients', 'floatTensor', 'intTensor', 'sizeOf', 'dims']
    const programs = ['QUICK_GELU', 'encodeOnnx', 'program', 'printProgram', 'checkProgram']
    const withoutGradient = ['positive', 'equals', 'max', 'argmax']
    const known = new Set<string>([...TABLE.map((row) => row.operator), ...others, ...programs, ...withoutGradient])
    expect(Object.keys(graphModule).filter((name) => !known.has(name))).toEqual([])
  })
})
