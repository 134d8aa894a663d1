import { add, mul } from './elementwise.ts'
import { apply, Graph, type Node, type Value } from './graph.ts'
import { leaf } from './lowering.ts'
import { type Program, program, resolve } from './program.ts'

/** Two sizes of the batch that nothing else in a program is as long as, so that what changes with the batch is seen. */
const SIZES = [1009, 1013] as const

/**
 * A program for any number of rows along the first axis of its inputs, found from the program for two numbers: the two
 * differ in shapes alone, whose entries are -1 then, or computed from the shape of the first input. Its values have the
 * shapes of the smaller number.
 *
 * @param build the program for n rows
 */
export function anyBatch(build: (n: number) => Program): Program {
  const [p, q] = [build(SIZES[0]), build(SIZES[1])]
  const graph = new Graph()
  const moved = new Map<Value, Value>()
  const others = new Map<Value, Value>()
  const pair = (a: Node, b: Node | undefined, made: readonly Value[]) => {
    for (const [i, x] of a.outputs.entries()) {
      const [other, y] = [b?.outputs[i], made[i]]
      if (other === undefined || y === undefined)
        throw new Error(`${a.op}: the program for another batch has no such value`)
      moved.set(x, y)
      others.set(x, other)
    }
  }
  for (const kind of ['inputs', 'weights'] as const) {
    for (const [i, node] of p[kind].entries()) {
      pair(
        node,
        q[kind][i],
        node.outputs.map((x) => leaf(graph, node, x)),
      )
    }
  }
  const [rows] = p.inputs.flatMap((node) => node.outputs.flatMap((x) => moved.get(x) ?? []))
  if (rows === undefined) throw new Error('a program without inputs has no batch')

  for (const [i, node] of p.nodes.entries()) {
    const twin = q.nodes[i]
    const isSame = twin?.op === node.op && JSON.stringify(twin.attributes) === JSON.stringify(node.attributes)
    if (!isSame) throw new Error(`${node.op} is ${twin?.op} for another batch`)
    const inputs = node.inputs.map((given, j) => {
      const [x, other] = [resolve(given), resolve(twin.inputs[j] ?? given)]
      if (x.node.op === 'constant') return constantOf(x, other, rows, node.op === 'Reshape')
      const y = moved.get(x)
      if (y === undefined || others.get(x) !== other) throw new Error(`${node.op} takes other values for another batch`)
      return y
    })
    pair(node, twin, graph.apply({ ...node, inputs, gradient: 'none' }))
  }
  const outputs = Array.from(p.outputs, ([name, x]): [string, Value] => [name, moved.get(x) ?? x])
  return program(graph, Object.fromEntries(outputs))
}

/** A constant of the program for one batch, whose twin is the other's: the same, or a shape c n + d of the batch n. */
function constantOf(x: Value, other: Value, rows: Value, isTarget: boolean): Value {
  const { graph } = rows
  const [a, b] = [x.node.tensor, other.node.tensor]
  if (a === undefined || b === undefined || a.dtype !== b.dtype || a.data.length !== b.data.length) {
    throw new Error('a constant is of another kind for another batch')
  }
  const [these, those] = [Array.from(a.data, Number), Array.from(b.data, Number)]
  const slopes = these.map((value, i) => ((those[i] ?? 0) - value) / (SIZES[1] - SIZES[0]))
  if (slopes.every((slope) => slope === 0)) return graph.constant(a)
  if (a.dtype !== 'int64' || !slopes.every(Number.isInteger)) throw new Error('a number depends on the batch')
  if (isTarget && slopes.filter((slope) => slope !== 0).length === 1) {
    return graph.ints(these.map((value, i) => (slopes[i] === 0 ? value : -1)))
  }
  const n = apply('Shape', [rows], [1], 'none', { start: 0, end: 1 }, 'int64')
  return add(mul(n, graph.ints(slopes)), graph.ints(these.map((value, i) => value - (slopes[i] ?? 0) * SIZES[0])))
}
