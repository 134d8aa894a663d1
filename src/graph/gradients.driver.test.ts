import { describe, expect, it } from 'vitest'
import { ShapeError } from '../base/errors.ts'
import { evaluate } from '../testing/engine.ts'
import { apply } from './graph.ts'
import {
  add,
  batchNorm,
  div,
  equals,
  exp,
  floatTensor,
  Graph,
  gelu,
  gradients,
  l2Normalise,
  layerNorm,
  log,
  logSoftmax,
  max,
  mul,
  quickGelu,
  relu,
  scale,
  sigmoid,
  slice,
  softmax,
  sqrt,
  sub,
  sum,
  type Value,
  where,
  withGradient,
} from './index.ts'

const vector = (...values: number[]) => floatTensor([values.length], Float32Array.from(values))
const total = (x: Value) =>
  sum(
    x,
    x.shape.map((_, axis) => axis),
  )

/** f(x) and d sum(f(x)) / dx. */
async function derivative(f: (x: Value) => Value, ...at: number[]) {
  const x = new Graph().input('x', [at.length])
  const y = f(x)
  const [dx = x] = gradients(total(y), [x])
  const values = await evaluate({ y, dx }, { x: vector(...at) })
  return { y: [...values.y.data], dx: [...values.dx.data] }
}

describe('the reverse pass', () => {
  it('adds up the gradients of a value that is used several times', async () => {
    // x^3 + 2x by three uses of x
    expect((await derivative((x) => add(mul(mul(x, x), x), scale(x, 2)), 2, -1)).dx).toEqual([14, 5])
  })

  it('passes over branches that the loss does not use', async () => {
    const graph = new Graph()
    const x = graph.input('x', [2])
    equals(x, x) // no gradient, but no part of the loss either
    exp(x)
    const [dx = x] = gradients(total(mul(x, x)), [x])
    expect([...(await evaluate({ dx }, { x: vector(1, 2) })).dx.data]).toEqual([2, 4])
  })

  it('goes on through a wanted value to those it is computed from', async () => {
    const graph = new Graph()
    const x = graph.input('x', [2])
    const h = mul(x, x)
    const [dh = x, dx = x] = gradients(total(mul(h, h)), [h, x])
    const values = await evaluate({ dh, dx }, { x: vector(1, 2) })
    expect([...values.dh.data]).toEqual([2, 8])
    expect([...values.dx.data]).toEqual([4, 32])
  })

  it('gives 1 for the loss itself, and the same value for the same question', () => {
    const graph = new Graph()
    const x = graph.input('x', [])
    const loss = mul(x, x)
    expect(gradients(loss, [loss])).toEqual([graph.scalar(1)])
    expect(gradients(loss, [x, x])).toEqual([...gradients(loss, [x]), ...gradients(loss, [x])])
  })

  it('can be applied twice', async () => {
    const x = new Graph().input('x', [2])
    const [dx = x] = gradients(total(mul(mul(x, x), x)), [x])
    const [ddx = x] = gradients(total(dx), [x])
    expect([...(await evaluate({ ddx }, { x: vector(2, -1) })).ddx.data]).toEqual([12, -6])
  })

  it('keeps the gradients of two aliases of one value apart', async () => {
    const { dx } = await derivative(
      (x) => {
        const doubled = withGradient(x, [x], (dy) => [scale(dy, 2)])
        const tripled = withGradient(x, [x], (dy) => [scale(dy, 3)])
        return add(slice(doubled, 0, 0, 1), slice(tripled, 0, 1, 2))
      },
      1,
      1,
    )
    expect(dx).toEqual([2, 3])
  })
})

describe('gradients throws ShapeError', () => {
  const graph = new Graph()
  const x = graph.input('x', [2])
  const y = graph.input('y', [2])
  const indices = graph.input('i', [2], 'int64')

  it.each<[string, () => unknown, string]>([
    ['for a loss that is no scalar', () => gradients(x, [x]), 'gradients: the loss is a scalar, not (2)'],
    [
      'for an input the loss does not depend on',
      () => gradients(total(x), [y]),
      'gradients: the loss does not depend on y',
    ],
    [
      'for whole numbers',
      () => gradients(total(mul(equals(indices, indices), x)), [indices]),
      'gradients: Cast has no gradient',
    ],
    ['naming an operator without gradient', () => gradients(max(x, [0]), [x]), 'gradients: ReduceMax has no gradient'],
    [
      'naming an operator of others without gradient',
      () => gradients(total(apply('Floor', [x], [2], 'none')), [x]),
      'gradients: Floor has no gradient',
    ],
    [
      'for second derivatives through the statistics of layerNorm',
      () => {
        const gamma = graph.constant(vector(1, 1))
        const [dx = x] = gradients(total(mul(layerNorm(x, gamma, gamma, 1e-5), y)), [x])
        return gradients(total(dx), [x])
      },
      'layerNorm: mean and deviation have no gradient',
    ],
    [
      'for a rule that gives another shape',
      () => gradients(total(withGradient(x, [y], () => [graph.constant(vector(1, 2, 3))])), [y]),
      'reshape: (3) does not fit: as many values as (2)',
    ],
  ])('%s', (_, wrong, message) => {
    expect(wrong).toThrow(new ShapeError(message))
  })
})

describe('awkward values', () => {
  const { NaN: nan, POSITIVE_INFINITY: infinite } = Number

  it.each<[string, (x: Value) => Value, number, number, number]>([
    ['relu(0)', relu, 0, 0, 0],
    ['relu(-0)', relu, -0, 0, 0],
    ['relu(-tiny)', relu, -1e-30, 0, 0],
    ['relu(NaN)', relu, nan, nan, 0],
    ['exp(huge)', exp, 100, infinite, infinite],
    ['exp(-huge)', exp, -200, 0, 0],
    ['log(0)', log, 0, -infinite, infinite],
    ['sqrt(0)', sqrt, 0, 0, infinite],
    ['sqrt(-1)', sqrt, -1, nan, nan],
    ['sigmoid(huge)', sigmoid, 1e4, 1, 0],
    ['sigmoid(-huge)', sigmoid, -1e4, 0, 0],
    ['quickGelu(huge)', quickGelu, 1e4, 1e4, 1],
    ['quickGelu(-huge)', quickGelu, -1e4, -0, 0],
    ['quickGelu(0)', quickGelu, 0, 0, 0.5],
    ['gelu(huge)', gelu, 1e4, 1e4, 1],
    ['gelu(-huge)', gelu, -1e4, -0, 0],
    ['gelu(NaN)', gelu, nan, nan, nan],
    ['x / 0', (x) => div(x, x.graph.scalar(0)), 1, infinite, infinite],
    ['x / -0', (x) => div(x, x.graph.scalar(-0)), 1, -infinite, -infinite],
    ['0 / 0', (x) => div(x, x), 0, nan, nan],
    ['where without the NaN', (x) => where(graphMask(x), log(x), x), -1, -1, 1],
  ])('%s', async (_, f, at, y, dx) => {
    const found = await derivative(f, at)
    expect(found.y.map(rounded)).toEqual([rounded(y)])
    expect(found.dx.map(rounded)).toEqual([rounded(dx)])
  })

  const rounded = (x: number) => Math.round(x * 1e5) / 1e5 + 0

  /** False everywhere. */
  const graphMask = (x: Value) => apply('Less', [x, x], x.shape, 'none', {}, 'bool')

  it('softmax and logSoftmax of huge logits stay finite', async () => {
    expect(await derivative((x) => softmax(x), 1e4, 0, -1e4)).toEqual({ y: [1, 0, 0], dx: [0, 0, 0] })
    const { y, dx } = await derivative((x) => logSoftmax(x), 1e4, 0)
    expect(y).toEqual([0, -1e4])
    expect(dx).toEqual([-1, 1])
  })

  it('NaN spreads through its row alone', async () => {
    const x = new Graph().input('x', [2, 2])
    const { y } = await evaluate({ y: softmax(x) }, { x: floatTensor([2, 2], Float32Array.of(nan, 1, 0, 0)) })
    expect([...y.data]).toEqual([nan, nan, 0.5, 0.5])
  })

  it('a row of zeros has no direction: NaN, as PyTorch says without an epsilon', async () => {
    expect((await derivative(l2Normalise, 0, 0)).y).toEqual([nan, nan])
  })

  it('batchNorm of a channel that is one large number everywhere stays near beta', async () => {
    const x = new Graph().input('x', [257, 1])
    const one = x.graph.constant(vector(1))
    const y = batchNorm(x, one, sub(one, one), 1, 1e-5).y
    const values = await evaluate({ y }, { x: floatTensor([257, 1], new Float32Array(257).fill(123.4)) })
    expect(Math.max(...values.y.data.map(Math.abs))).toBeLessThan(0.5)
  })
})
