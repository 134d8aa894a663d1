import { anObject, checkArguments, withMembers } from '../base/arguments.ts'
import { ShapeError, UsageError } from '../base/errors.ts'
import { ALIAS, expectValues, Graph, type Node, type Value } from './graph.ts'

/** What a session runs: outputs, named `Out`, and all they need, in an order that can be executed. */
export interface Program<Out extends string = string> {
  /** Inputs that the outputs depend on. */
  readonly inputs: readonly Node[]
  readonly weights: readonly Node[]
  readonly constants: readonly Node[]
  /** Operators; no dead ones, no aliases. */
  readonly nodes: readonly Node[]
  readonly outputs: ReadonlyMap<Out, Value>
}

/** Sees through aliases. */
export function resolve(x: Value): Value {
  const original = x.node.inputs[x.index]
  return x.node.op === ALIAS && original !== undefined ? resolve(original) : x
}

/** For arguments. */
export const aProgram = withMembers(
  'a program, as program makes it',
  ...['inputs', 'weights', 'constants', 'nodes', 'outputs'],
)

/**
 * Collects what the outputs need; everything else in the graph is left out.
 * @throws ShapeError for outputs of another graph; UsageError where there are none, or they are no values
 */
export function program<Out extends string>(graph: Graph, outputs: Readonly<Record<Out, Value>>): Program<Out> {
  if (!(graph instanceof Graph)) throw new UsageError('program takes a Graph and its outputs by name')
  checkArguments('program', { outputs }, { outputs: anObject })
  const values: Value[] = Object.values(outputs)
  expectValues('program', values)
  if (values.length === 0) throw new UsageError('program: there are no outputs', 'name the values that it computes')
  const named = new Map<Out, Value>()
  for (const name in outputs) named.set(name, resolve(outputs[name]))
  const live = new Set<Node>()
  const pending = [...named.values()]
  for (let x = pending.pop(); x !== undefined; x = pending.pop()) {
    if (x.graph !== graph) throw new ShapeError('program: an output belongs to another graph')
    if (live.has(x.node)) continue
    live.add(x.node)
    for (const input of x.node.inputs) pending.push(resolve(input))
  }
  const nodes = graph.nodes.filter((node) => live.has(node))
  const of = (op: string) => nodes.filter((node) => node.op === op)
  const leaves = ['input', 'weight', 'constant']
  return {
    inputs: of('input'),
    weights: of('weight'),
    constants: of('constant'),
    nodes: nodes.filter((node) => !leaves.includes(node.op)),
    outputs: named,
  }
}

/**
 * Throws ShapeError for a program that cannot run: a value used before it is made, a name that appears twice, an output
 * that nothing makes or that is not float32. A fault of the code that made it, not of its user.
 */
export function checkProgram(p: Program): void {
  checkArguments('checkProgram', { program: p }, { program: aProgram })
  const made = new Set<Value>()
  const names = new Set<string>()
  const claim = (name: string) => {
    if (name === '' || names.has(name)) throw new ShapeError(`program: the name "${name}" is empty or appears twice`)
    names.add(name)
  }
  for (const node of [...p.inputs, ...p.weights, ...p.constants, ...p.nodes]) {
    for (const x of node.inputs.map(resolve)) {
      if (!made.has(x)) throw new ShapeError(`program: ${node.op} uses ${x.id} (${x.node.op}) before it is made`)
    }
    for (const y of node.outputs) {
      made.add(y)
      claim(node.name ?? y.id)
    }
  }
  for (const [name, y] of p.outputs) {
    if (!made.has(y)) throw new ShapeError(`program: nothing makes the output ${name}`)
    if (y.dtype !== 'float32') throw new ShapeError(`program: the output ${name} is ${y.dtype}, not float32`)
    if (y.node.name !== name) claim(name)
  }
}

/** The program as text, a line a node: what is computed from what, with shapes. */
export function printProgram(p: Program): string {
  checkArguments('printProgram', { program: p }, { program: aProgram })
  const shape = (x: Value) => `${x.dtype === 'float32' ? '' : x.dtype}(${x.shape.join(', ')})`
  const leaf = (node: Node) =>
    `${node.outputs.map((x) => `${x.id} ${shape(x)}`).join(', ')} = ${node.op} ${node.name ?? ''}`.trimEnd()
  const lines = [...p.inputs, ...p.weights].map(leaf)
  for (const node of p.nodes) {
    const args = node.inputs.map(resolve).map((x) => constantText(x) ?? x.id)
    const attributes = Object.entries(node.attributes).map(
      ([k, v]) => ` ${k}=${JSON.stringify(typeof v === 'object' && 'float' in v ? v.float : v)}`,
    )
    lines.push(
      `${node.outputs.map((x) => `${x.id} ${shape(x)}`).join(', ')} = ${node.op}(${args.join(', ')})${attributes.join('')}`,
    )
  }
  for (const [name, value] of p.outputs) lines.push(`output ${name} = ${value.id}`)
  return lines.join('\n')
}

function constantText(x: Value): string | undefined {
  const { tensor } = x.node
  if (x.node.op !== 'constant' || tensor === undefined || tensor.data.length > 8) return undefined
  return tensor.shape.length === 0 ? `${tensor.data[0]}` : `[${tensor.data.join(', ')}]`
}
