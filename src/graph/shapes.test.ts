import { describe, expect, it } from 'vitest'
import { ShapeError } from '../base/errors.ts'
import {
  add,
  averagePool,
  batchNorm,
  concat,
  conv2d,
  crossEntropy,
  dims,
  expand,
  flip,
  floatTensor,
  frozenBatchNorm,
  Graph,
  gather,
  intTensor,
  l2Normalise,
  layerNorm,
  matmul,
  mean,
  pad,
  positive,
  reshape,
  type Shape,
  scatterAdd,
  slice,
  softmax,
  split,
  sum,
  transpose,
  type Value,
  where,
} from './index.ts'

const graph = new Graph()
const float = (...shape: number[]) => graph.constant(floatTensor(shape))
const ints = (n: number) => graph.constant(intTensor([n], new Array<number>(n).fill(0)))
const v3 = float(3)
const m23 = float(2, 3)
const images = float(2, 3, 5, 5)

describe('wrong uses are refused where the operator is built', () => {
  it.each<[() => unknown, string]>([
    [() => add(m23, float(2)), 'add: (2, 3), (2) do not fit: axes are equal or 1'],
    [() => add(v3, ints(3)), 'add: (3), int64(3) do not fit: values are of one type'],
    [() => add(v3, new Graph().input('x', [3])), 'Add: the values come from different graphs'],
    [() => where(v3, v3, v3), 'where: (3), (3), (3) do not fit: the condition is a mask'],
    [() => where(positive(m23), float(2), v3), 'where: (2), (3) do not fit'],
    [() => matmul(m23, m23), 'matmul: (2, 3), (2, 3) do not fit: inner axes agree (transA false, transB false)'],
    [() => matmul(m23, m23, { transA: true, transB: true }), 'matmul: (2, 3), (2, 3) do not fit'],
    [() => matmul(v3, m23), 'matmul: (3) does not fit: two axes at least'],
    [() => matmul(float(2, 2, 3), float(3, 3, 4)), 'matmul: (2, 2, 3), (3, 3, 4) do not fit'],
    [() => reshape(m23, [4]), 'reshape: (2, 3) does not fit: as many values as (4)'],
    [() => reshape(m23, [4, -1]), 'reshape: (2, 3) does not fit: as many values as (4, -1)'],
    [() => reshape(m23, [-1, -1]), 'reshape: (2, 3) does not fit'],
    [() => transpose(m23, [0]), 'transpose: (2, 3) does not fit: a permutation, not (0)'],
    [() => transpose(m23, [0, 0]), 'transpose: (2, 3) does not fit'],
    [() => transpose(m23, [1, 2]), 'transpose: (2, 3) does not fit'],
    [() => slice(m23, 1, 2, 4), 'slice: (2, 3) does not fit: axis 1 has 2 to 4'],
    [() => slice(m23, 1, 2, 1), 'slice: (2, 3) does not fit'],
    [() => slice(m23, 2, 0, 1), 'slice: (2, 3) does not fit'],
    [() => slice(m23, 1, 0.5, 1.5), 'slice: (2, 3) does not fit'],
    [() => flip(m23, [2]), 'flip: (2, 3) does not fit'],
    [() => flip(m23, [0, 0]), 'flip: (2, 3) does not fit'],
    [() => pad(m23, [1], [1]), 'pad: (2, 3) does not fit: one width >= 0 an axis, not (1) and (1)'],
    [() => pad(m23, [0, -1], [0, 0]), 'pad: (2, 3) does not fit'],
    [() => split(m23, 1, [1, 1]), 'split: (2, 3) does not fit: lengths 1,1 along axis 1'],
    [() => split(m23, 0, [3, -1]), 'split: (2, 3) does not fit'],
    [() => split(m23, 2, [1]), 'split: (2, 3) does not fit'],
    [() => concat([], 0), 'concat: nothing to join'],
    [() => concat([m23, float(3, 3)], 1), 'concat: (2, 3), (3, 3) do not fit: all axes but 1 are equal'],
    [() => concat([m23, v3], 0), 'concat: (2, 3), (3) do not fit'],
    [() => concat([m23, m23], 2), 'concat: (2, 3), (2, 3) do not fit'],
    [() => expand(m23, [3, 3]), 'expand: (2, 3) does not fit: (3, 3)'],
    [() => expand(m23, [3]), 'expand: (2, 3) does not fit: (3)'],
    [() => gather(m23, v3), 'gather: (2, 3), (3) do not fit: a table and int64 rows'],
    [() => gather(float(), ints(1)), 'gather: (), int64(1) do not fit'],
    [
      () => scatterAdd([4, 3], ints(3), m23),
      'scatterAdd: int64(3), (2, 3) do not fit: int64 indices and rows of (4, 3)',
    ],
    [() => scatterAdd([4, 2], ints(2), m23), 'scatterAdd: int64(2), (2, 3) do not fit'],
    [() => scatterAdd([4, 3], float(2), m23), 'scatterAdd: (2), (2, 3) do not fit'],
    [() => sum(m23, [2]), 'ReduceSum: (2, 3) does not fit: axes 2'],
    [() => mean(m23, [0, 0]), 'ReduceMean: (2, 3) does not fit: axes 0,0'],
    [() => softmax(float()), 'softmax: () does not fit: at least one axis'],
    [() => l2Normalise(float()), 'l2Normalise: () does not fit: at least one axis'],
    [() => crossEntropy(m23, float(3, 3)), 'crossEntropy: (2, 3), (3, 3) do not fit: both (n, classes)'],
    [() => crossEntropy(v3, v3), 'crossEntropy: (3) is not of rank 2'],
    [() => layerNorm(m23, v3, float(2), 1e-5), 'layerNorm: (2, 3), (3), (2) do not fit'],
    [() => batchNorm(m23, v3, v3, 0, 1e-5), 'batchNorm: (2, 3), (3), (3) do not fit'],
    [() => frozenBatchNorm(images, v3, v3, v3, float(2), 1e-5), 'frozenBatchNorm: (2, 3, 5, 5), (3), (3), (3), (2) do'],
    [() => frozenBatchNorm(v3, v3, v3, v3, v3, 1e-5), 'frozenBatchNorm: (3), (3), (3), (3), (3) do not fit'],
    [() => conv2d(images, float(4, 2, 3, 3)), 'conv2d: (2, 3, 5, 5), (4, 2, 3, 3) do not fit'],
    [() => conv2d(images, float(4, 3, 3, 1)), 'conv2d: (2, 3, 5, 5), (4, 3, 3, 1) do not fit'],
    [() => conv2d(images, float(4, 3, 7, 7)), 'conv2d: (2, 3, 5, 5), (4, 3, 7, 7) do not fit'],
    [() => conv2d(images, float(4, 3, 3, 3), { stride: 0 }), 'conv2d: (2, 3, 5, 5), (4, 3, 3, 3) do not fit'],
    [() => conv2d(images, float(4, 3, 1, 1), { padding: 1 }), 'padding 1 < k'],
    [() => averagePool(images, 2), 'averagePool: (2, 3, 5, 5) does not fit: (n, c, h, w) with sides that 2 divides'],
    [() => averagePool(m23, 1), 'averagePool: (2, 3) is not of rank 4'],
    [() => conv2d(m23, images), 'conv2d: (2, 3) is not of rank 4'],
    [() => conv2d(images, m23), 'conv2d, kernel: (2, 3) is not of rank 4'],
    [() => new Graph().input('odd', [2, 1.5]), 'input: invalid shape: (2,1.5)'],
  ])('%s', (wrong, message) => {
    expect(wrong).toThrow(ShapeError)
    expect(wrong).toThrow(message)
  })

  it('also names that stand twice', () => {
    const other = new Graph()
    other.input('x', [1])
    expect(() => other.input('x', [1])).toThrow('two inputs or weights are named "x"')
    expect(() => other.weight('x', floatTensor([1]))).toThrow(ShapeError)
  })

  it('also data that does not fit its shape', () => {
    expect(() => floatTensor([2, 2], new Float32Array(3))).toThrow('a tensor of shape (2, 2) holds 4 values, not 3')
    expect(() => intTensor([2], [1])).toThrow(ShapeError)
  })
})

describe('dims', () => {
  it('gives the length of each axis', () => {
    const lengths = [dims(float(), 0), dims(v3, 1), dims(float(0, 3), 2), dims(images, 4)]
    expect(lengths).toEqual([[], [3], [0, 3], [2, 3, 5, 5]])
  })

  it.each([
    [[], 1, '() is not of rank 1'],
    [[2, 3], 1, '(2, 3) is not of rank 1'],
    [[2, 3], 3, '(2, 3) is not of rank 3'],
    [[0], 2, '(0) is not of rank 2'],
  ] as const)('refuses (%s) for %d', (shape, rank, message) => {
    expect(() => dims({ shape }, rank, 'features')).toThrow(new ShapeError(`features: ${message}`))
  })
})

describe('shapes of results', () => {
  it.each<[Value, Shape]>([
    [add(float(2, 1, 3), float(4, 1)), [2, 4, 3]],
    [matmul(float(2, 1, 2, 3), float(5, 3, 4)), [2, 5, 2, 4]],
    [matmul(float(7, 2, 3), float(4, 3), { transB: true }), [7, 2, 4]],
    [reshape(float(2, 6), [3, -1]), [3, 4]],
    [reshape(float(0, 6), [0, 3, 2]), [0, 3, 2]],
    [gather(float(5, 2), reshape(ints(6), [2, 3])), [2, 3, 2]],
    [sum(float(2, 3, 4), [0, 2]), [3]],
    [sum(float(2, 3, 4), [0, 2], true), [1, 3, 1]],
    [conv2d(images, float(4, 3, 3, 3), { stride: 2, padding: 1 }), [2, 4, 3, 3]],
  ])('%#', (value, shape) => {
    expect(value.shape).toEqual(shape)
  })
})
