import { exp, log, mul, sub } from './elementwise.ts'
import { Graph, type Node, type Value } from './graph.ts'
import { matmul } from './matrix.ts'
import { type Program, program, resolve } from './program.ts'
import { max, sum } from './reduction.ts'
import { transpose } from './shaping.ts'

/** Writes one node in operators that a provider has; gets the node and its inputs in the new graph. */
type Rule = (node: Node, inputs: readonly Value[]) => Value

/** Operators that fall back to the CPU with a copy each way, by provider, and what to use instead. */
const RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  webgpu: {
    'com.microsoft.FusedMatMul': (node, [a, b]) => {
      if (a === undefined || b === undefined) throw new Error('FusedMatMul has two inputs')
      const turned = (x: Value, name: string) => (node.attributes[name] === 1 ? transpose(x, swapLast(x)) : x)
      const y = matmul(turned(a, 'transA'), turned(b, 'transB'))
      const { alpha } = node.attributes
      return typeof alpha === 'object' && 'float' in alpha && alpha.float !== 1
        ? mul(y, y.graph.scalar(alpha.float))
        : y
    },
    LogSoftmax: (_, [x]) => {
      if (x === undefined) throw new Error('LogSoftmax has one input')
      const last = [x.shape.length - 1]
      const shifted = sub(x, max(x, last, true))
      return sub(shifted, log(sum(exp(shifted), last, true)))
    },
  },
}

/** The same program in operators that the provider runs itself. */
export function lower(p: Program, provider: string): Program {
  const rules = RULES[provider]
  if (rules === undefined) return p
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
    for (const x of node.outputs) record([x], [leaf(graph, node, x)])
  }
  for (const node of p.nodes) {
    const inputs = node.inputs.map(find)
    const rule = rules[node.op]
    record(node.outputs, rule === undefined ? graph.apply({ ...node, inputs, gradient: 'none' }) : [rule(node, inputs)])
  }
  return program(graph, Object.fromEntries([...p.outputs].map(([name, x]) => [name, find(x)])))
}

function leaf(graph: Graph, node: Node, x: Value): Value {
  if (node.tensor === undefined) return graph.input(node.name ?? '', x.shape, x.dtype)
  return node.name === undefined ? graph.constant(node.tensor) : graph.weight(node.name, node.tensor)
}

function swapLast(x: Value): number[] {
  const perm = x.shape.map((_, axis) => axis)
  const n = perm.length
  return [...perm.slice(0, n - 2), n - 1, n - 2]
}
