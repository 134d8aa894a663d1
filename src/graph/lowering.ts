import { equals, exp, log, mul, sub } from './elementwise.ts'
import { type DType, Graph, type Node, type Value } from './graph.ts'
import { matmul } from './matrix.ts'
import { type Program, program, resolve } from './program.ts'
import { max, sum } from './reduction.ts'
import { reshape, transpose } from './shaping.ts'
import { floatTensor } from './tensor.ts'

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
    Equal: (node, inputs) => {
      const [y] = inputs[0]?.graph.apply({ ...node, inputs: inputs.map(asFloats), gradient: 'none' }) ?? []
      if (y === undefined) throw new Error('Equal has inputs and an output')
      return y
    },
    /** The index of the largest entry, the first of several, as float32: the smallest index among those that equal it. */
    ArgMax: (_, [x]) => {
      if (x === undefined) throw new Error('ArgMax has one input')
      const { graph } = x
      const n = x.shape.at(-1) ?? 0
      const last = [x.shape.length - 1]
      const behind = floatTensor(
        [n],
        Float32Array.from({ length: n }, (_, i) => n - i),
      )
      const hits = equals(x, max(x, last, true))
      return sub(graph.scalar(n), max(mul(hits, graph.constant(behind)), last))
    },
    Reshape: ({ outputs: [y] }, [x]) => {
      if (x === undefined || y === undefined) throw new Error('Reshape has an input and an output')
      return reshape(x, y.shape)
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
    for (const x of node.outputs) record([x], [leaf(graph, node, x, isOnlyCompared(p, x) ? 'float32' : x.dtype)])
  }
  for (const node of p.nodes) {
    const inputs = node.inputs.map(find)
    const compared = node.outputs.every((x) => x.dtype !== 'int64' || isOnlyCompared(p, x))
    const rule = compared ? rules[node.op] : undefined
    record(node.outputs, rule === undefined ? graph.apply({ ...node, inputs, gradient: 'none' }) : [rule(node, inputs)])
  }
  return program(graph, Object.fromEntries([...p.outputs].map(([name, x]) => [name, find(x)])))
}

/**
 * Whether whole numbers are only compared, such as labels: then they are fed as float32 (which has them exactly below
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
  if (x.dtype !== 'int64') return x
  if (tensor !== undefined) return x.graph.constant(floatTensor(x.shape, Float32Array.from(tensor.data, Number)))
  return x
}

function leaf(graph: Graph, node: Node, x: Value, dtype: DType): Value {
  if (node.tensor === undefined) return graph.input(node.name ?? '', x.shape, dtype)
  return node.name === undefined ? graph.constant(node.tensor) : graph.weight(node.name, node.tensor)
}

function swapLast(x: Value): number[] {
  const perm = x.shape.map((_, axis) => axis)
  const n = perm.length
  return [...perm.slice(0, n - 2), n - 1, n - 2]
}
