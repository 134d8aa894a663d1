import { describe, expect, expectTypeOf, it } from 'vitest'
import { ShapeError } from '../base/errors.ts'
import { apply } from './graph.ts'
import {
  add,
  checkProgram,
  conv2d,
  crossEntropy,
  exp,
  floatTensor,
  Graph,
  gradients,
  intTensor,
  layerNorm,
  matmul,
  mul,
  positive,
  printProgram,
  program,
  reshape,
  scale,
  sum,
  withGradient,
} from './index.ts'
import { lower } from './lowering.ts'
import type { Program } from './program.ts'

/** A linear classifier's training step: x (2, 3) weight (4, 3), cross-entropy with targets (2, 4). */
function classifier() {
  const graph = new Graph()
  const x = graph.input('x', [2, 3])
  const weight = graph.weight('weight', floatTensor([4, 3]))
  const logits = matmul(x, weight, { transB: true, alpha: 100 })
  const loss = crossEntropy(logits, graph.input('targets', [2, 4]))
  const [dWeight = weight] = gradients(loss, [weight])
  return { graph, loss, dWeight }
}

describe('a graph', () => {
  it('records the same operator on the same inputs once', () => {
    const graph = new Graph()
    const x = graph.input('x', [2, 2])
    const y = graph.input('y', [2, 2])
    expect(add(x, y)).toBe(add(x, y))
    expect(matmul(x, y, { alpha: 2 })).toBe(matmul(x, y, { alpha: 2 }))
    expect(scale(x, 0.5)).toBe(scale(x, 0.5))
    const gamma = graph.constant(floatTensor([2]))
    expect(layerNorm(x, gamma, gamma, 1e-5)).toBe(layerNorm(x, gamma, gamma, 1e-5))
  })

  it('tells apart what differs in operator, order, attributes or constants', () => {
    const graph = new Graph()
    const x = graph.input('x', [2, 2])
    const y = graph.input('y', [2, 2])
    const values = [
      add(x, y),
      add(y, x),
      mul(x, y),
      matmul(x, y),
      matmul(x, y, { alpha: 2 }),
      matmul(x, y, { alpha: 2, transA: true }),
      reshape(x, [4]),
      reshape(x, [1, 4]),
      scale(x, 0),
      scale(x, -0),
    ]
    expect(new Set(values).size).toBe(values.length)
    expect(graph.ints([1])).not.toBe(graph.constant(floatTensor([1], Float32Array.of(1))))
    expect(graph.scalar(0)).not.toBe(graph.scalar(-0))
  })

  it('holds a weight once under its name', () => {
    const graph = new Graph()
    const tensor = floatTensor([2])
    expect(graph.weight('w', tensor)).toBe(graph.weight('w', tensor))
    expect(() => graph.weight('w', floatTensor([2]))).toThrow('two inputs or weights are named "w"')
  })

  it('reads a list that is changed afterwards anew', () => {
    const graph = new Graph()
    const list = [1, 2]
    const before = graph.ints(list)
    list[0] = 7
    expect(graph.ints(list)).not.toBe(before)
    expect(graph.ints(list)).toBe(graph.ints(Object.freeze([7, 2])))
  })

  it.each([64, 65, 1000])('shares constants of %d equal values', (n) => {
    const graph = new Graph()
    const other = floatTensor([n])
    other.data[n - 1] = 1
    const zeros = graph.constant(floatTensor([n]))
    expect(graph.constant(floatTensor([n]))).toBe(zeros)
    expect(graph.constant(other)).not.toBe(zeros)
    expect(graph.constant(floatTensor([1, n]))).not.toBe(zeros)
  })
})

describe('a program', () => {
  it('leaves out what its outputs do not need', () => {
    const graph = new Graph()
    const x = graph.input('x', [2])
    exp(graph.input('unused', [2]))
    graph.weight('no one asks', floatTensor([2]))
    const p = program(graph, { y: mul(x, x) })
    expect(p.inputs.map((node) => node.name)).toEqual(['x'])
    expect([p.weights.length, p.constants.length]).toEqual([0, 0])
    expect(p.nodes.map((node) => node.op)).toEqual(['Mul'])
  })

  it('knows its outputs by name', () => {
    const { graph, loss, dWeight } = classifier()
    const p = program(graph, { loss, dWeight })
    expectTypeOf(p).toEqualTypeOf<Program<'loss' | 'dWeight'>>()
    expect([...p.outputs]).toEqual(Object.entries({ loss, dWeight }))
  })

  it('does not compute the gradient of an input nobody asks for', () => {
    const graph = new Graph()
    const kernel = graph.weight('kernel', floatTensor([4, 3, 3, 3]))
    const loss = sum(conv2d(graph.input('pictures', [2, 3, 8, 8]), kernel, { stride: 2 }), [0, 1, 2, 3])
    const [dKernel = kernel] = gradients(loss, [kernel])
    expect(program(graph, { dKernel }).nodes.map((node) => node.op)).not.toContain('ConvTranspose')
  })

  it('sees through aliases', () => {
    const graph = new Graph()
    const x = graph.input('x', [2])
    const y = withGradient(x, [x], (dy) => [dy])
    expect(program(graph, { y: mul(y, y), alias: y }).nodes.map((node) => node.op)).toEqual(['Mul'])
  })

  it('prints as text', () => {
    const { graph, loss, dWeight } = classifier()
    expect(printProgram(program(graph, { loss, dWeight }))).toMatchInlineSnapshot(`
      "v0 (2, 3) = input x
      v3 (2, 4) = input targets
      v1 (4, 3) = weight weight
      v2 (2, 4) = com.microsoft.FusedMatMul(v0, v1) transA=0 transB=1 alpha=100
      v4 (2, 4) = LogSoftmax(v2) axis=1
      v5 (2, 4) = Mul(v4, v3)
      v7 () = ReduceSum(v5, [0, 1]) keepdims=0
      v9 () = Mul(v7, -0.5)
      v11 () = Mul(1, -0.5)
      v14 (1, 1) = Reshape(v11, [1, 1])
      v16 (2, 4) = Expand(v14, [2, 4])
      v17 (2, 4) = Mul(v16, v3)
      v19 (2, 4) = Softmax(v2) axis=1
      v21 (2, 1) = ReduceSum(v17, [1]) keepdims=1
      v22 (2, 4) = Mul(v19, v21)
      v23 (2, 4) = Sub(v17, v22)
      v25 (4, 3) = com.microsoft.FusedMatMul(v23, v0) transA=1 transB=0 alpha=100
      output loss = v9
      output dWeight = v25"
    `)
  })
})

describe('checkProgram', () => {
  it('finds nothing wrong with programs, their gradients, and what lowering makes of them', () => {
    const { graph, loss, dWeight } = classifier()
    const p = program(graph, { loss, dWeight })
    checkProgram(p)
    checkProgram(lower(p, 'webgpu'))
  })

  const graph = new Graph()
  const x = graph.input('x', [2])
  const y = exp(add(x, x))
  const p = program(graph, { y })
  const clash = graph.input(exp(x).id, [2])

  it.each<[string, () => unknown, string]>([
    [
      'a value used before it is made',
      () => checkProgram({ ...p, nodes: [...p.nodes].reverse() }),
      'program: Exp uses v1 (Add) before it is made',
    ],
    [
      'an output that nothing makes',
      () => checkProgram({ ...p, nodes: p.nodes.slice(0, 1) }),
      'nothing makes the output y',
    ],
    ['an output of another graph', () => program(new Graph(), { y }), 'an output belongs to another graph'],
    [
      'an output with the name of an input',
      () => checkProgram(program(graph, { x: y })),
      'the name "x" is empty or appears twice',
    ],
    [
      'an output without a name',
      () => checkProgram(program(graph, { '': y })),
      'the name "" is empty or appears twice',
    ],
    [
      'an input called like a value',
      () => checkProgram(program(graph, { y: add(exp(x), clash) })),
      `the name "${exp(x).id}" is empty or appears twice`,
    ],
    ['a mask as output', () => checkProgram(program(graph, { y: positive(x) })), 'the output y is bool, not float32'],
    [
      'whole numbers as output',
      () => checkProgram(program(graph, { y: graph.constant(intTensor([1], [1])) })),
      'the output y is int64, not float32',
    ],
    ['an unknown operand', () => checkProgram({ ...p, inputs: [] }), 'program: Add uses v0 (input) before it is made'],
    ['nodes without outputs', () => apply('None', [x], [-1], 'none'), 'None: invalid shape: (-1)'],
  ])('refuses %s', (_, wrong, message) => {
    expect(wrong).toThrow(ShapeError)
    expect(wrong).toThrow(message)
  })
})
