import { describe, expect, it } from 'vitest'
import { Graph, matmul, program, transpose } from '../src/graph/index.ts'
import { coopStep } from '../src/methods/coop/program.ts'
import { promptLayout } from '../src/prompt/layout.ts'
import { engine, randomTensor } from '../src/testing/engine.ts'
import { classNames } from './class-names.ts'
import { bareProducts, linearProducts } from './products.ts'
import { benchClip } from './text-model.ts'

const [WIDTH, LAYERS, CLASSES, M] = [16, 3, 7, 3]

describe('the bare products of a step', async () => {
  const clip = await benchClip({ width: WIDTH, heads: 2, layers: LAYERS, mlpWidth: 4 * WIDTH, contextLength: 12 })
  const layout = promptLayout(clip.tokenizer, classNames(CLASSES), { M, position: 'end', classSpecific: false })
  const step = coopStep(clip, layout, 4)

  it('are those with the weights of its linear layers, forward and gradient', () => {
    // queries, keys and values; what follows in a block, which in the last one only the ends pass; the final projection
    const rows = layout.packing.slots.length
    const macs = WIDTH * WIDTH * (LAYERS * rows * 3 + ((LAYERS - 1) * rows + CLASSES) * 9 + CLASSES)
    const products = linearProducts(step)
    expect(products).toHaveLength(2 * (4 * LAYERS + 1))
    expect(products.reduce((sum, { flops }) => sum + flops, 0)).toBe(2 * 2 * macs)
    expect(bareProducts(step).flops).toBe(4 * macs)
  })

  it('stand in a program that has them all, none computed beforehand, and nothing else of size', async () => {
    const { program: bare, feeds } = bareProducts(step)
    const shapesOf = (of: typeof bare | typeof step) =>
      linearProducts(of).map(({ inputs }) => inputs.map((x) => x.shape.join()).join(' by '))
    expect(shapesOf(bare).sort()).toEqual(shapesOf(step).sort())
    const names = (of: typeof bare | typeof step) =>
      new Set(linearProducts(of).flatMap(({ inputs }) => inputs.flatMap((x) => x.node.tensor ?? [])))
    expect(names(bare)).toEqual(names(step))
    expect(bare.inputs.map(({ name }) => name).sort()).toEqual(Object.keys(feeds).sort())
    const session = await engine.load(bare)
    const { sum } = await session.run(feeds)
    const other = await session.run(
      Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, { ...x, data: x.data.map((v) => 2 * v) }])),
    )
    await session.dispose()
    expect(sum.data[0]).not.toBe(0)
    expect(other.sum.data[0]).toBeCloseTo(2 * (sum.data[0] ?? 0), 4)
  })

  it('follow what is made of weights, and leave out products of two activations or two weights', () => {
    const graph = new Graph()
    const x = graph.input('x', [5, 4])
    const w = graph.weight('w', randomTensor([4, 3], 1))
    const v = transpose(graph.weight('v', randomTensor([3, 4], 2)), [1, 0])
    const both = matmul(w, v, { transB: true })
    const y = matmul(matmul(matmul(x, w), matmul(x, v), { transB: true }), matmul(x, both))
    expect(linearProducts(program(graph, { y })).map(({ flops }) => flops)).toEqual([120, 120, 160])
  })
})
