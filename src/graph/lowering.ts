import { exp, log, mul, scale, sigmoid, sub } from './elementwise.ts'
import { apply, Graph, type Node, type Value } from './graph.ts'
import { matmul } from './matrix.ts'
import { type Program, program, resolve } from './program.ts'
import { max, sum } from './reduction.ts'
import { transpose } from './shaping.ts'

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

/** Operators that fall back to the CPU with a copy each way, by provider, and what to use instead. */
const RULES: Readonly<Record<string, Rules>> = {
  webgpu: {
    'com.microsoft.FusedMatMul': productOfTurned,
    LogSoftmax: (_, [x]) => {
      if (x === undefined) throw new Error('LogSoftmax has one input')
      const last = [x.shape.length - 1]
      const shifted = sub(x, max(x, last, true))
      return sub(shifted, log(sum(exp(shifted), last, true)))
    },
  },
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
  'com.microsoft.QuickGelu': (node, [x]) => {
    if (x === undefined) throw new Error('QuickGelu has one input')
    return mul(x, sigmoid(scale(x, floatOf(node, 'alpha'))))
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
function floatOf({ attributes }: Node, name: string): number {
  const value = attributes[name]
  return typeof value === 'object' && 'float' in value ? value.float : 1
}

/** The same program in operators that the provider runs itself. */
export function lower(p: Program, provider: string): Program {
  const rules = RULES[provider]
  return rules === undefined ? p : rewrite(p, rules)
}

/** The same program with the operators, inputs and constants that there are rules for written in others. */
export function rewrite(p: Program, rules: Rules): Program {
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
  return program(graph, Object.fromEntries([...p.outputs].map(([name, x]) => [name, find(x)])))
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
