import { describe, expect, it } from 'vitest'
import { engine, evaluate, randomTensor, worstError } from '../testing/engine.ts'
import { anyGpu, NO_GPU } from '../testing/gpu.ts'
import {
  add,
  argmax,
  averagePool,
  conv2d,
  crossEntropy,
  equals,
  floatTensor,
  frozenBatchNorm,
  Graph,
  gather,
  gradients,
  intTensor,
  l2Normalise,
  layerNorm,
  logSoftmax,
  matmul,
  program,
  quickGelu,
  relu,
  reshape,
  scale,
  softmax,
  type Tensor,
  transpose,
} from './index.ts'
import { lower } from './lowering.ts'
import type { Program } from './program.ts'

/** A training step with all that a text tower has: attention, layer normalisation, quickGelu, a table of rows. */
function step(): Program {
  const graph = new Graph()
  const [tokens, width] = [6, 8]
  const context = graph.input('context', [3, width])
  const weight = (name: string, shape: number[], seed: number) => graph.weight(name, randomTensor(shape, seed))
  const x = gather(context, graph.input('tokens', [tokens], 'int64'))
  const h = layerNorm(x, weight('gamma', [width], 1), weight('beta', [width], 2), 1e-5)
  const q = matmul(h, weight('q', [width, width], 3), { transB: true })
  const k = matmul(h, weight('k', [width, width], 4), { transB: true })
  const attention = softmax(matmul(q, k, { transB: true, alpha: 0.35 }))
  const y = quickGelu(add(x, matmul(attention, h)))
  const features = l2Normalise(matmul(y, weight('features', [5, 2 * width, width], 5), { transB: true }))
  const logits = scale(matmul(features, weight('classes', [16, 4], 6)), 100)
  const rows = reshape(logits, [30, 4])
  const loss = crossEntropy(rows, graph.constant(randomTensor([30, 4], 7, Math.abs)))
  const [dContext = context] = gradients(loss, [context])
  return program(graph, { loss, dContext, logProbabilities: logSoftmax(rows) })
}

/** A training step through what a ResNet has: strided convolution, frozen batch normalisation, average pooling. */
function pictureStep(): Program {
  const graph = new Graph()
  const pixels = graph.input('pixels', [2, 3, 7, 7])
  const weight = (name: string, shape: number[], draw?: (u: number) => number) =>
    graph.weight(name, randomTensor(shape, name.length, draw))
  const channels = (name: string, draw?: (u: number) => number) => weight(name, [4], draw)
  const kernel = weight('kernel', [4, 3, 3, 3])
  const beta = channels('beta')
  const x = conv2d(pixels, kernel, { stride: 2, padding: 1 })
  const y = frozenBatchNorm(x, channels('gamma'), beta, channels('mean'), channels('variance', Math.abs), 1e-5)
  const features = reshape(averagePool(relu(y), 4), [2, 4])
  const loss = crossEntropy(features, graph.constant(randomTensor([2, 4], 7, Math.abs)))
  const [dPixels = pixels, dKernel = kernel, dBeta = beta] = gradients(loss, [pixels, kernel, beta])
  return program(graph, { loss, dPixels, dKernel, dBeta })
}

const operators = (p: Program) => [...new Set(p.nodes.map((node) => node.op))]

async function run(p: Program, runtime = engine) {
  const session = await runtime.load(p)
  const feeds: Record<string, Tensor> = {
    context: randomTensor([3, 8], 9),
    tokens: intTensor([6], [0, 1, 2, 2, 1, 2]),
    pixels: randomTensor([2, 3, 7, 7], 9),
  }
  const wanted = Object.entries(feeds).filter(([name]) => p.inputs.some((node) => node.name === name))
  const results = await session.run(Object.fromEntries(wanted))
  await session.dispose()
  return results
}

function expectClose(actual: Results, expected: Results, bound: number) {
  for (const [name, tensor] of Object.entries(expected)) {
    expect(actual[name]?.shape).toEqual(tensor.shape)
    expect(worstError(actual[name]?.data ?? [], tensor.data), name).toBeLessThan(bound)
  }
}

type Results = Awaited<ReturnType<typeof run>>

describe('lowering for webgpu', () => {
  it('leaves none of the operators that the provider lacks', () => {
    const missing = ['com.microsoft.FusedMatMul', 'LogSoftmax']
    expect(operators(step())).toEqual(expect.arrayContaining(missing))
    expect(operators(lower(step(), 'webgpu')).filter((op) => missing.includes(op))).toEqual([])
  })

  it('has labels compared as float32, and gives the same', async () => {
    const graph = new Graph()
    const labels = graph.input('labels', [3], 'int64')
    const p = program(graph, { hot: equals(reshape(labels, [3, 1]), graph.ints([0, 1, 2, 3])) })
    const lowered = lower(p, 'webgpu')
    const dtypes = [...lowered.inputs, ...lowered.nodes].flatMap(({ outputs }) => outputs.map((x) => x.dtype))
    expect(dtypes).not.toContain('int64')
    const session = await engine.load(lowered)
    const { hot } = await session.run({ labels: floatTensor([3], Float32Array.of(2, 0, 3)) })
    expect(Array.from(hot?.data ?? [])).toEqual([0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1])
    await session.dispose()
  })

  it('finds the first of the largest, as ArgMax does', async () => {
    const graph = new Graph()
    const hits = equals(argmax(graph.input('x', [4, 3])), graph.ints([0, 1, 2, 2]))
    const lowered = lower(program(graph, { hits }), 'webgpu')
    expect(operators(lowered)).not.toContain('ArgMax')
    const session = await engine.load(lowered)
    const x = floatTensor([4, 3], Float32Array.of(2, 2, 1, -5, -4, -4, 0, 0, 0, -1, -2, 3))
    expect(Array.from((await session.run({ x })).hits?.data ?? [])).toEqual([1, 1, 0, 1])
    await session.dispose()
  })

  it('leaves whole numbers that choose rows as they are', () => {
    const graph = new Graph()
    const rows = graph.input('rows', [2], 'int64')
    const p = program(graph, { y: gather(graph.input('table', [4, 2]), rows), hot: equals(rows, graph.ints([0, 1])) })
    expect(lower(p, 'webgpu').inputs.map(({ outputs }) => outputs[0]?.dtype)).toContain('int64')
  })

  it.each([
    ['text', step],
    ['pictures', pictureStep],
  ])('gives the same values, with the same inputs, weights and outputs: %s', async (_, build) => {
    const p = build()
    const lowered = lower(p, 'webgpu')
    expect(lowered.inputs.map((node) => node.name)).toEqual(p.inputs.map((node) => node.name))
    expect(lowered.weights.map((node) => node.tensor)).toEqual(p.weights.map((node) => node.tensor))
    expect([...lowered.outputs.keys()]).toEqual([...p.outputs.keys()])
    expectClose(await run(lowered), await run(p), 1e-5)
  })

  it('runs on a GPU, where there is one', async ({ skip }) => {
    const gpu = await anyGpu()
    if (gpu === undefined) return skip(NO_GPU)
    try {
      for (const build of [step, pictureStep]) expectClose(await run(build(), gpu), await run(build()), 1e-4)
    } finally {
      await gpu.close()
    }
  })

  it('leaves programs for other providers as they are', () => {
    const p = step()
    expect(lower(p, 'cuda')).toBe(p)
  })
})

describe('lowering for the CPU', () => {
  const graph = new Graph()
  const [a, b] = [graph.input('a', [3, 4]), graph.input('b', [5, 4])]
  const bias = graph.constant(randomTensor([5], 3))
  const product = matmul(a, b, { transB: true, alpha: 0.5 })
  const feeds = { a: randomTensor([3, 4], 1), b: randomTensor([5, 4], 2) }

  it('takes a product and its bias as one operator', async () => {
    const p = program(graph, { y: add(product, bias) })
    expect(operators(lower(p, 'cpu'))).toEqual(['Gemm'])
    const [one, two] = await Promise.all([
      evaluate({ y: add(product, bias) }, feeds),
      evaluate({ y: add(matmul(a, transpose(b, [1, 0])), scale(bias, 2)) }, feeds),
    ])
    expect(
      worstError(
        one.y.data.map((x) => 2 * x),
        two.y.data,
      ),
    ).toBeLessThan(1e-6)
  })

  it('leaves a product that is used elsewhere too', () => {
    const p = program(graph, { y: add(product, bias), z: product })
    expect(operators(lower(p, 'cpu'))).toEqual(['com.microsoft.FusedMatMul', 'Add'])
  })
})
