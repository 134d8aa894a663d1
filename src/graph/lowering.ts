import { equals, exp, log, mul, scale, sub } from './elementwise.ts'
import { apply, Graph, type Node, type Value } from './graph.ts'
import { matmul } from './matrix.ts'
import { type Program, program, resolve } from './program.ts'
import { max, sum } from './reduction.ts'
import { reshape, transpose } from './shaping.ts'
import { floatTensor } from './tensor.ts'

/** Writes one node in other operators; gets the node and its inputs in the new graph. */
export type Rule = (node: Node, inputs: readonly Value[], graph: Graph) => Value

/** By operator. */
export type Rules = Readonly<Record<string, Rule>>

const productOfTurned: Rule = (node, inputs) => {
  const [a, b] = two(node, inputs)
  const turned = (x: Value, name: string) => (node.attributes[name] === 1 ? transpose(x, swapLast(x)) : x)
  const y = matmul(turned(a, 'transA'), turned(b, 'transB'))
  const alpha = floatOf(node, 'alpha')
  return alpha === 1 ? y : scale(y, alpha)
}

/** By provider: operators that fall back to the CPU with a copy each way, and those that it has better ones for. */
const RULES: Readonly<Record<string, (p: Program) => Rules>> = {
  cpu: (p) => {
    const uses = usesIn(p)
    return {
      /** A product and its bias in one operator: no pass over the product. */
      Add: (node, inputs, graph) => {
        const [product, bias] = two(node, inputs)
        const { op, inputs: factors, attributes } = product.node
        const isLinear =
          op === 'com.microsoft.FusedMatMul' &&
          factors.every(({ shape }) => shape.length === 2) &&
          bias.shape.length === 1 &&
          node.inputs.every((x, i) => i > 0 || uses.get(resolve(x)) === 1)
        if (!isLinear) return same(node, inputs, graph)
        const [a, b] = two(product.node, factors)
        return apply('Gemm', [a, b, bias], product.shape, 'none', attributes)
      },
    }
  },
  webgpu: (p) => ({
    'com.microsoft.FusedMatMul': productOfTurned,
    input: (node, _, graph) => {
      const x = one(node, node.outputs)
      return graph.input(node.name ?? '', x.shape, isOnlyCompared(p, x) ? 'float32' : x.dtype)
    },
    Equal: (node, inputs, graph) => same(node, inputs.map(asFloats), graph),
    Reshape: (node, inputs, graph) => {
      const y = one(node, node.outputs)
      return isOnlyCompared(p, y) ? reshape(one(node, inputs), y.shape) : same(node, inputs, graph)
    },
    /** The index of the largest entry, the first of several, as float32. */
    ArgMax: (node, inputs, graph) => {
      if (!isOnlyCompared(p, one(node, node.outputs))) return same(node, inputs, graph)
      const x = one(node, inputs)
      const n = x.shape.at(-1) ?? 0
      const last = [x.shape.length - 1]
      const behind = Float32Array.from({ length: n }, (_, i) => n - i)
      const hits = equals(x, max(x, last, true))
      return sub(graph.scalar(n), max(mul(hits, graph.constant(floatTensor([n], behind))), last))
    },
    LogSoftmax: (node, inputs) => {
      const x = one(node, inputs)
      const last = [x.shape.length - 1]
      const shifted = sub(x, max(x, last, true))
      return sub(shifted, log(sum(exp(shifted), last, true)))
    },
  }),
}

/** How often each value is used. */
function usesIn(p: Program): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>()
  for (const x of [...p.nodes.flatMap(({ inputs }) => inputs), ...p.outputs.values()]) {
    uses.set(resolve(x), (uses.get(resolve(x)) ?? 0) + 1)
  }
  return uses
}

/**
 * Whether whole numbers are only compared, such as labels: then they are computed as float32 (which has them exactly below
 * 2^24), as graphics cards have no int64.
 */
function isOnlyCompared(p: Program, x: Value): boolean {
  if (x.dtype !== 'int64') return false
  const users = p.nodes.filter(({ inputs }) => inputs.some((input) => resolve(input) === x))
  return users.every(
    ({ op, outputs }) => op === 'Equal' || (op === 'Reshape' && outputs.every((y) => isOnlyCompared(p, y))),
  )
}

function asFloats(x: Value): Value {
  const { tensor } = x.node
  if (x.dtype !== 'int64' || tensor === undefined) return x
  return x.graph.constant(floatTensor(x.shape, Float32Array.from(tensor.data, Number)))
}

/** The node as it is, in another graph. */
const same = (node: Node, inputs: readonly Value[], graph: Graph): Value =>
  one(node, graph.apply({ ...node, inputs, gradient: 'none' }))

function one({ op }: Node, [x]: readonly Value[]): Value {
  if (x === undefined) throw new Error(`${op} has an input and an output`)
  return x
}

/** Operators of ONNX's own in place of ONNX Runtime's, and no outputs that nobody needs: for files that others run. */
export const PORTABLE: Rules = {
  'com.microsoft.FusedMatMul': (node, inputs, graph) => {
    const [a, b] = two(node, inputs)
    const { transA, transB, alpha } = node.attributes
    const areMatrices = a.shape.length === 2 && b.shape.length === 2
    if (!areMatrices || transA === undefined || transB === undefined || alpha === undefined) {
      return productOfTurned(node, inputs, graph)
    }
    return apply('Gemm', [a, b], node.outputs[0]?.shape ?? [], 'none', { transA, transB, alpha })
  },
  LayerNormalization: (node, inputs) => {
    const [x, gamma, beta] = inputs
    if (x === undefined || gamma === undefined || beta === undefined)
      throw new Error('LayerNormalization has three inputs')
    return apply('LayerNormalization', [x, gamma, beta], x.shape, 'none', node.attributes)
  },
}

function two({ op }: Node, [a, b]: readonly Value[]): readonly [Value, Value] {
  if (a === undefined || b === undefined) throw new Error(`${op} has two inputs`)
  return [a, b]
}

/** A float attribute; 1 where it is left out. */
export function floatOf({ attributes }: Node, name: string): number {
  const value = attributes[name]
  return typeof value === 'object' && 'float' in value ? value.float : 1
}

/** The same program in operators that the provider runs itself. */
export function lower(p: Program, provider: string): Program {
  const rules = RULES[provider]
  return rules === undefined ? p : rewrite(p, rules(p))
}

/** The same program with the operators, inputs and constants that there are rules for written in others. */
export function rewrite<Out extends string>(p: Program<Out>, rules: Rules): Program<Out> {
  const graph = new Graph()
  const moved = new Map<Value, Value>()
  const record = (from: readonly Value[], to: readonly Value[]) => {
    for (const [i, x] of from.entries()) {
      const y = to[i]
      if (y !== undefined) moved.set(x, y)
    }
  }
  const find = (x: Value): Value => {
    const y = moved.get(resolve(x))
    if (y === undefined) throw new Error(`${x.node.op} comes before its inputs`)
    return y
  }
  for (const node of [...p.inputs, ...p.weights, ...p.constants]) {
    for (const x of node.outputs) record([x], [rules[node.op]?.(node, [], graph) ?? leaf(graph, node, x)])
  }
  for (const node of p.nodes) {
    const inputs = node.inputs.map(find)
    const rule = rules[node.op]
    record(
      node.outputs,
      rule === undefined ? graph.apply({ ...node, inputs, gradient: 'none' }) : [rule(node, inputs, graph)],
    )
  }
  const outputs = new Map(Array.from(p.outputs, ([name, x]) => [name, find(x)]))
  return { ...program(graph, Object.fromEntries(outputs)), outputs }
}

/** An input, a weight or a constant in another graph. */
export function leaf(graph: Graph, node: Node, x: Value): Value {
  if (node.tensor === undefined) return graph.input(node.name ?? '', x.shape, x.dtype)
  return node.name === undefined ? graph.constant(node.tensor) : graph.weight(node.name, node.tensor)
}

function swapLast(x: Value): number[] {
  const perm = x.shape.map((_, axis) => axis)
  const n = perm.length
  return [...perm.slice(0, n - 2), n - 1, n - 2]
}
