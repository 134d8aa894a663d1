import { randomFor } from '../src/base/random.ts'
import type { Node } from '../src/graph/graph.ts'
import {
  concat,
  floatTensor,
  Graph,
  type Program,
  program,
  reshape,
  type Shape,
  sizeOf,
  slice,
  sum,
  type Value,
} from '../src/graph/index.ts'
import { resolve } from '../src/graph/program.ts'
import type { FloatTensor } from '../src/graph/tensor.ts'
import type { Runtime } from '../src/runtime/types.ts'

/** A product of a program with a weight of the model: of a linear layer, forward or its input's gradient. */
export interface Product {
  readonly node: Node
  /** What is multiplied, and with which weight, in the order of the operator. */
  readonly inputs: readonly [Value, Value]
  /** Additions and multiplications. */
  readonly flops: number
}

const OPERATORS = new Set(['MatMul', 'com.microsoft.FusedMatMul', 'Gemm'])

/** The products of a program in which one side is made of weights alone. */
export function linearProducts(p: Program): Product[] {
  const weights = weightsOf(p)
  return p.nodes.flatMap((node) => {
    const [a, b] = node.inputs.map(resolve)
    const [y] = node.outputs
    if (!OPERATORS.has(node.op) || a === undefined || b === undefined || y === undefined) return []
    if (weights.has(a.node) === weights.has(b.node)) return []
    const [m = 1, k = 1] = a.shape.slice(-2)
    const inner = node.attributes.transA === 1 ? m : k
    return [{ node, inputs: [a, b], flops: 2 * sizeOf(y.shape) * inner }]
  })
}

/** The weights of a program, and what is made of them and constants alone. */
function weightsOf({ weights, constants, nodes }: Program): ReadonlySet<Node> {
  const found = new Set(weights)
  const fixed = new Set(constants)
  for (const node of nodes) {
    const parts = node.inputs.map((x) => resolve(x).node)
    if (parts.some((part) => found.has(part)) && parts.every((part) => found.has(part) || fixed.has(part)))
      found.add(node)
  }
  return found
}

/**
 * The products alone, with the weights themselves, in one program: each shape of what they multiply is an input, filled at
 * random, as products of constants would be computed once for all; one number of each result is added up, so that none is
 * left out and none is copied.
 */
export function bareProducts(step: Program): {
  program: Program<'sum'>
  feeds: Record<string, FloatTensor>
  flops: number
} {
  const graph = new Graph()
  const feeds: Record<string, FloatTensor> = {}
  const inputs = new Map<string, Value>()
  const inputOf = (shape: Shape): Value => {
    const name = `x ${shape.join(' x ')}`
    const known = inputs.get(name) ?? graph.input(name, shape)
    if (!inputs.has(name)) feeds[name] = randomOf(shape)
    inputs.set(name, known)
    return known
  }
  const weights = weightsOf(step)
  const products = linearProducts(step)
  const corners = products.map(({ node, inputs }) => {
    const [a, b] = inputs.map((x) => (weights.has(x.node) ? copied(graph, x) : inputOf(x.shape)))
    const outputs = node.outputs.map(({ shape, dtype }) => ({ shape, dtype }))
    const { op, attributes } = node
    const [y] = a && b ? graph.apply({ op, attributes, inputs: [a, b], outputs, gradient: 'none' }) : []
    if (y === undefined) throw new Error('a product without a result')
    return reshape(
      y.shape.reduce((part, _, axis) => slice(part, axis, 0, 1), y),
      [1],
    )
  })
  return {
    program: program(graph, { sum: sum(concat(corners, 0), [0]) }),
    feeds,
    flops: products.reduce((total, { flops }) => total + flops, 0),
  }
}

/** A weight, and what is done to it before it is used, in another graph. */
function copied(graph: Graph, x: Value): Value {
  const { op, name = '', tensor, inputs, attributes, outputs } = x.node
  if (tensor !== undefined) return op === 'weight' ? graph.weight(name, tensor) : graph.constant(tensor)
  const parts = inputs.map((part) => copied(graph, resolve(part)))
  const made = graph.apply({ op, inputs: parts, attributes, outputs, gradient: 'none' })[x.index]
  if (made === undefined) throw new Error(`${op} has no output ${x.index}`)
  return made
}

function randomOf(shape: Shape): FloatTensor {
  const { next } = randomFor('bench products', sizeOf(shape))
  return floatTensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => next() - 0.5),
  )
}

/** A runtime that counts how often the programs that are loaded into it run. */
export function countingRuntime(runtime: Runtime): { runtime: Runtime; runs: Map<Program, number> } {
  const runs = new Map<Program, number>()
  const counting: Runtime = {
    device: runtime.device,
    async load(program) {
      const session = await runtime.load(program)
      runs.set(program, 0)
      return {
        run(feeds) {
          runs.set(program, (runs.get(program) ?? 0) + 1)
          return session.run(feeds)
        },
        dispose: () => session.dispose(),
      }
    },
    loadOnnx: (file) => runtime.loadOnnx(file),
    close: () => runtime.close(),
  }
  return { runtime: counting, runs }
}

/** The bare products of programs, each as often as it runs in a step. */
export async function loadProducts(
  runtime: Runtime,
  runs: ReadonlyMap<Program, number>,
): Promise<{ run(): Promise<void>; readonly flops: number }> {
  const wanted = [...runs].filter(([program]) => linearProducts(program).length > 0)
  const parts = await Promise.all(
    wanted.map(async ([program, times]) => {
      const bare = bareProducts(program)
      return { session: await runtime.load(bare.program), ...bare, times }
    }),
  )
  return {
    async run() {
      for (const { session, feeds, times } of parts) for (let i = 0; i < times; i++) await session.run(feeds)
    },
    flops: parts.reduce((total, { flops, times }) => total + times * flops, 0),
  }
}
