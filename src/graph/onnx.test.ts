import { describe, expect, it } from 'vitest'
import { evaluate, randomTensor, worstError } from '../testing/engine.ts'
import { apply } from './graph.ts'
import { add, encodeOnnx, floatTensor, Graph, intTensor, matmul, mul, program, reshape, scale, slice } from './index.ts'

const vector = (...values: number[]) => floatTensor([values.length], Float32Array.from(values))
const values = async (...[outputs, feeds]: Parameters<typeof evaluate>) => {
  const results = Object.entries(await evaluate(outputs, feeds))
  return Object.fromEntries(results.map(([name, { data }]) => [name, [...data]]))
}

describe('emitted models, executed', () => {
  it('attributes: whole numbers of both signs, floats, lists, text', async () => {
    const graph = new Graph()
    const x = graph.input('x', [2, 2])
    const negative = apply('Softmax', [x], [2, 2], 'none', { axis: -2 })
    const float = apply('LeakyRelu', [x], [2, 2], 'none', { alpha: { float: 0.125 } })
    const list = apply('Transpose', [x], [2, 2], 'none', { perm: [1, 0] })
    const text = apply('Gelu', [x], [2, 2], 'none', { approximate: 'tanh' })
    const results = await values(
      { negative, float, list, text },
      { x: floatTensor([2, 2], Float32Array.of(0, -8, 0, 8)) },
    )
    expect(results).toMatchObject({ float: [0, -1, 0, 8], list: [0, 0, -8, 8], text: [0, -0, 0, 8] })
    expect(results.negative?.map((p) => Math.round(p * 100) / 100)).toEqual([0.5, 0, 0.5, 1])
  })

  it('outputs of every kind: an operator, one operator twice, an input, a weight, a constant', async () => {
    const graph = new Graph()
    const x = graph.input('x', [2])
    const w = graph.weight('w', vector(3, 4))
    const sum = add(x, w)
    const outputs = { sum, again: sum, input: x, x, weight: w, constant: graph.scalar(7), further: mul(sum, x) }
    expect(await values(outputs, { x: vector(1, 2) })).toEqual({
      sum: [4, 6],
      again: [4, 6],
      input: [1, 2],
      x: [1, 2],
      weight: [3, 4],
      constant: [7],
      further: [4, 12],
    })
  })

  it('tensors without entries', async () => {
    const graph = new Graph()
    const x = graph.input('x', [2, 3])
    const none = reshape(slice(x, 0, 1, 1), [3, 0, 2])
    expect((await evaluate({ none }, { x: floatTensor([2, 3]) })).none).toEqual(floatTensor([3, 0, 2]))
  })

  it('int64 weights and large whole numbers', async () => {
    const graph = new Graph()
    const shape = graph.weight('shape', intTensor([2], [3, -1]))
    const y = apply('Reshape', [graph.input('x', [6]), shape], [3, 2], 'none')
    expect((await evaluate({ y }, { x: vector(1, 2, 3, 4, 5, 6) })).y.shape).toEqual([3, 2])
  })

  it('the same bytes for the same program', () => {
    const build = () => {
      const graph = new Graph()
      return encodeOnnx(program(graph, { y: scale(graph.input('x', [2]), 3) })).bytes
    }
    expect(build()).toEqual(build())
  })
})

describe('weights outside the file', () => {
  it('stand each in a file of its own, but for small ones, and reach the operators', async () => {
    const graph = new Graph()
    const a = randomTensor([30, 33], 1)
    const b = randomTensor([33, 40], 2)
    const view = { ...a, shape: [20, 40], data: randomTensor([1000], 3).data.subarray(100, 900) }
    const small = vector(1, 2)
    const y = matmul(graph.weight('a', a), graph.weight('b', b))
    const outputs = { y, ofView: scale(graph.weight('view', view), 2), ofSmall: scale(graph.weight('small', small), 2) }

    const { weights, bytes } = encodeOnnx(program(graph, outputs))
    expect([...weights.values()]).toEqual([a.data, b.data, view.data])
    expect(bytes.length).toBeLessThan(2000)

    const results = await evaluate(outputs)
    const product = Array.from({ length: 1200 }, (_, i) => {
      const [row, column] = [Math.floor(i / 40), i % 40]
      return Array.from({ length: 33 }, (_, k) => (a.data[row * 33 + k] ?? 0) * (b.data[k * 40 + column] ?? 0)).reduce(
        (x, y) => x + y,
      )
    })
    expect(worstError(results.y.data, product)).toBeLessThan(1e-5)
    expect(results.ofView.data).toEqual(view.data.map((x) => 2 * x))
    expect(results.ofSmall.data).toEqual(Float32Array.of(2, 4))
  })

  it('stand once when two weights share their data', async () => {
    const graph = new Graph()
    const table = randomTensor([20, 20], 4)
    const outputs = { y: add(graph.weight('input embedding', table), graph.weight('output embedding', table)) }
    expect([...encodeOnnx(program(graph, outputs)).weights.values()]).toEqual([table.data])
    expect((await evaluate(outputs)).y.data).toEqual(table.data.map((x) => x + x))
  })
})
