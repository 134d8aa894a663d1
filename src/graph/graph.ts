import { aFunction, aList, aNumber, aText, aWeight, checkArguments, withMembers } from '../base/arguments.ts'
import { ShapeError, UsageError } from '../base/errors.ts'
import { type PackedTensor, type Shape, sizeOf, storedValues, type Tensor } from './tensor.ts'

/** Type of the entries of a value; `bool` is that of masks. */
export type DType = (Tensor | PackedTensor)['dtype'] | 'bool'

/** An ONNX attribute: whole numbers are written as INT, `{ float }` as FLOAT, text as STRING. */
export type Attribute = number | readonly number[] | string | { readonly float: number }
export type Attributes = Readonly<Record<string, Attribute>>

/** `dx` for each input of a node, `null` where nothing flows. `dys` has one entry an output, `null` where none is used. */
export type Gradient = (...dys: (Value | null)[]) => (Value | null)[]

/** What an operator says of one node it makes. */
export interface NodeSpec {
  /** ONNX operator; its domain stands before a dot where it is not ONNX's own: `com.microsoft.FusedMatMul`. */
  readonly op: string
  readonly inputs: readonly Value[]
  readonly attributes?: Attributes
  readonly outputs: readonly { readonly shape: Shape; readonly dtype?: DType }[]
  /** `none`: the operator has no gradient (whole numbers, masks); asking for one is an error that names it. */
  readonly gradient: Gradient | 'none'
}

/** One operator applied to values. Inputs of a program and constants are nodes too, without inputs. */
export interface Node {
  readonly id: number
  readonly op: string
  readonly inputs: readonly Value[]
  readonly attributes: Attributes
  readonly outputs: readonly Value[]
  readonly gradient: Gradient | 'none'
  /** Set on constants and weights. */
  readonly tensor?: Tensor | PackedTensor
  /** Set on inputs and weights. */
  readonly name?: string
}

/** An output of a node: a tensor of known shape, not yet computed. */
export class Value {
  readonly graph: Graph
  readonly node: Node
  readonly index: number
  readonly shape: Shape
  readonly dtype: DType

  constructor(graph: Graph, node: Node, index: number, shape: Shape, dtype: DType) {
    this.graph = graph
    this.node = node
    this.index = index
    this.shape = shape
    this.dtype = dtype
  }

  /** Unique within its graph. */
  get id(): string {
    return this.index === 0 ? `v${this.node.id}` : `v${this.node.id}_${this.index}`
  }
}

/**
 * Records operators in the order they are applied, which is an order they can run in.
 * The same operator on the same inputs is recorded once (common subexpressions).
 */
export class Graph {
  readonly nodes: Node[] = []
  readonly #known = new Map<string, Node>()
  readonly #names = new Set<string>()
  readonly #lists = new WeakMap<readonly number[], Value>()

  /** A tensor fed at each run. */
  input(name: string, shape: Shape, dtype: DType = 'float32'): Value {
    checkArguments('input', { name, shape }, { name: aText, shape: aList })
    if (!DTYPES.includes(dtype))
      throw new UsageError(`input: there is no type ${dtype}`, `types are ${DTYPES.join(', ')}`)
    this.#claim(name)
    return first(this.#record({ op: 'input', inputs: [], outputs: [{ shape, dtype }], gradient: () => [] }, { name }))
  }

  /** A large constant, kept outside the model file under its name; asked for twice, it is the same value. */
  weight(name: string, tensor: Tensor | PackedTensor): Value {
    checkArguments('weight', { name }, { name: aText })
    const known = this.#known.get(`weight ${name}`)
    if (known?.tensor === tensor) return first(known)
    checkTensor('weight', tensor)
    this.#claim(name)
    const node = this.#constant('weight', tensor, name)
    this.#known.set(`weight ${name}`, node)
    return first(node)
  }

  /** A small constant, written into the model file. */
  constant(tensor: Tensor | PackedTensor): Value {
    checkTensor('constant', tensor)
    const { buffer, byteOffset, byteLength } = tensor.data
    const bytes = new Uint8Array(buffer, byteOffset, byteLength)
    const isShort = tensor.data.length <= 64
    const key = `constant ${tensor.dtype} (${tensor.shape.join()}) ${isShort ? bytes.join() : hash(bytes)}`
    const known = this.#known.get(key)
    if (known !== undefined && (isShort || areEqual(known, bytes))) return first(known)
    const node = this.#constant('constant', tensor)
    this.#known.set(key, node)
    return first(node)
  }

  /** A float32 scalar. */
  scalar(x: number): Value {
    checkArguments('scalar', { x }, { x: aNumber })
    return this.constant({ dtype: 'float32', shape: [], data: Float32Array.of(x) })
  }

  /** A list of int64: the form in which ONNX takes axes, shapes and offsets. A frozen list is converted once. */
  ints(values: readonly number[]): Value {
    const known = Array.isArray(values) ? this.#lists.get(values) : undefined
    if (known !== undefined) return known
    if (!Array.isArray(values) || !values.every(Number.isInteger))
      throw new ShapeError(`axes, lengths and offsets are whole numbers, not ${values}`)
    const list = this.constant({ dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) })
    if (Object.isFrozen(values)) this.#lists.set(values, list)
    return list
  }

  /** Applies an operator; its outputs. */
  apply(spec: NodeSpec): readonly Value[] {
    checkArguments('apply', { spec }, { spec: aNodeSpec })
    for (const x of spec.inputs) {
      expectValues(spec.op, [x])
      if (x.graph !== this) throw new ShapeError(`${spec.op}: the values come from different graphs`)
    }
    if (spec.op === ALIAS) return this.#record(spec).outputs // Its gradient is its own: two are never the same.
    const key = `${spec.op}(${spec.inputs.map((x) => x.id).join()}) ${spec.outputs.length} ${JSON.stringify(spec.attributes ?? {})}`
    const node = this.#known.get(key) ?? this.#record(spec)
    this.#known.set(key, node)
    return node.outputs
  }

  #constant(op: 'weight' | 'constant', tensor: Tensor | PackedTensor, name?: string): Node {
    const { shape, dtype } = tensor
    return this.#record(
      { op, inputs: [], outputs: [{ shape, dtype }], gradient: () => [] },
      name === undefined ? { tensor } : { tensor, name },
    )
  }

  #record(spec: NodeSpec, extra: Pick<Node, 'tensor' | 'name'> = {}): Node {
    const outputs: Value[] = []
    const { op, inputs, gradient, attributes = {} } = spec
    const node: Node = { id: this.nodes.length, op, inputs, attributes, outputs, gradient, ...extra }
    for (const [index, { shape, dtype = 'float32' }] of spec.outputs.entries()) {
      if (!shape.every((n) => Number.isInteger(n) && n >= 0)) throw new ShapeError(`${op}: invalid shape: (${shape})`)
      outputs.push(new Value(this, node, index, shape, dtype))
    }
    this.nodes.push(node)
    return node
  }

  #claim(name: string): void {
    if (this.#names.has(name)) throw new ShapeError(`two inputs or weights are named "${name}"`)
    this.#names.add(name)
  }
}

/** FNV-1a. */
function hash(bytes: Uint8Array): number {
  let h = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193)
  return h
}

function areEqual({ tensor }: Node, bytes: Uint8Array): boolean {
  if (tensor === undefined) return false
  const { buffer, byteOffset, byteLength } = tensor.data
  const known = new Uint8Array(buffer, byteOffset, byteLength)
  for (let i = 0; i < byteLength; i++) if (known[i] !== bytes[i]) return false
  return byteLength === bytes.length
}

const DTYPES: readonly DType[] = ['float32', 'int64', 'bool']
const aNodeSpec = withMembers('an operator { op, inputs, outputs, gradient }', 'op', 'inputs', 'outputs', 'gradient')

/** Throws UsageError for what is no tensor, ShapeError where its data do not fit its shape. */
function checkTensor(caller: string, tensor: Tensor | PackedTensor): void {
  // what is stored has the right size, and is not read for this
  if (typeof tensor === 'object' && tensor !== null && storedValues(tensor) !== undefined) return
  checkArguments(caller, { tensor }, { tensor: aWeight })
  if (tensor.data.length === sizeOf(tensor.shape)) return
  throw new ShapeError(`${caller}: (${tensor.shape.join(', ')}) does not hold ${tensor.data.length} values`)
}

/** Throws UsageError for what callers without types give instead of values. */
export function expectValues(op: string, inputs: readonly Value[]): void {
  if (Array.isArray(inputs) && inputs.every((x) => x instanceof Value)) return
  throw new UsageError(
    `${op} takes values of a graph, not ${Array.isArray(inputs) ? inputs.map(kindOf).join(', ') : kindOf(inputs)}`,
    'make values with graph.input, graph.constant or graph.weight, or by another operator',
  )
}

const kindOf = (x: unknown) =>
  x instanceof Value ? 'a value' : typeof x === 'object' ? (x ? 'an object' : 'null') : String(x)

/** Applies an operator with one output in the graph of its inputs. */
export function apply(
  op: string,
  inputs: readonly [Value, ...Value[]],
  shape: Shape,
  gradient: ((dy: Value) => (Value | null)[]) | 'none',
  attributes: Attributes = {},
  dtype: DType = inputs[0].dtype,
): Value {
  const outputs = inputs[0].graph.apply({
    op,
    inputs,
    attributes,
    outputs: [{ shape, dtype }],
    gradient: gradient === 'none' ? 'none' : (dy) => (dy === null ? inputs.map(() => null) : gradient(dy)),
  })
  return only(outputs)
}

/**
 * y itself, but with a gradient of its own towards `inputs` in place of the one its parts would give. Costs no operator:
 * programs see through it.
 */
export function withGradient(y: Value, inputs: readonly Value[], gradient: (dy: Value) => (Value | null)[]): Value {
  checkArguments('withGradient', { gradient }, { gradient: aFunction })
  return only(withGradients([y], inputs, ([dy]) => (dy == null ? inputs.map(() => null) : gradient(dy))))
}

/** As withGradient, for several values whose gradients go to `inputs` together; `null` for those that are not used. */
export function withGradients(
  ys: readonly Value[],
  inputs: readonly Value[],
  gradient: (dys: readonly (Value | null)[]) => (Value | null)[],
): readonly Value[] {
  expectValues('withGradient', ys)
  expectValues('withGradient', inputs)
  const [head] = ys
  if (head === undefined) return []
  return head.graph.apply({
    op: ALIAS,
    inputs: [...ys, ...inputs],
    outputs: ys.map(({ shape, dtype }) => ({ shape, dtype })),
    gradient: (...dys) => [...ys.map(() => null), ...gradient(dys)],
  })
}

/** The operator of withGradient: each output stands for the input at its place when a program runs. */
export const ALIAS = 'alias'

function only(outputs: readonly Value[]): Value {
  const [y] = outputs
  if (y === undefined) throw new ShapeError('an operator without outputs')
  return y
}

const first = (node: Node): Value => only(node.outputs)

/** Throws ShapeError naming operator and shapes when a condition does not hold. */
export function expectShapes(holds: boolean, op: string, inputs: readonly Value[], expected: string): asserts holds {
  if (!holds) {
    const shapes = inputs.map((x) => `${x.dtype === 'float32' ? '' : x.dtype}(${x.shape.join(', ')})`)
    throw new ShapeError(`${op}: ${shapes.join(', ')} ${shapes.length === 1 ? 'does' : 'do'} not fit: ${expected}`)
  }
}

/** The shape that shapes broadcast to (NumPy's rule), or throws naming the operator. Values are of one type. */
export function broadcast(op: string, inputs: readonly Value[], shapes?: readonly Shape[]): Shape {
  expectValues(op, inputs)
  const sameType = inputs.every((x) => x.dtype === inputs[0]?.dtype)
  expectShapes(sameType, op, inputs, 'values are of one type')
  const all = shapes ?? inputs.map((x) => x.shape)
  const rank = Math.max(...all.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, i) => {
    const lengths = all.map((shape) => shape[shape.length - rank + i] ?? 1)
    const length = lengths.find((n) => n !== 1) ?? 1
    const fits = lengths.every((n) => n === 1 || n === length)
    expectShapes(fits, op, inputs, 'axes are equal or 1, counted from the last')
    return length
  })
}
