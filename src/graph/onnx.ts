import { CoopError } from '../base/errors.ts'
import type { Attribute, DType, Node, Value } from './graph.ts'
import { checkProgram, type Program, resolve } from './program.ts'
import { Message } from './protobuf.ts'
import { type PackedTensor, sizeOf, storedValues, type Tensor } from './tensor.ts'

type Weight = Tensor | PackedTensor

/** An ONNX model whose weights stand outside the file (protobuf cannot pass 2 GB), each in a file of its own. */
export interface OnnxModel {
  /** The serialised ModelProto. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** The content of each file of weights, by the name under which the model refers to it. */
  readonly weights: ReadonlyMap<string, Weight['data']>
}

/** Where in a file the values of a weight lie, as they are. */
export interface FileSlice {
  /** Its name, as the model refers to it. */
  readonly file: string
  /** In bytes. */
  readonly offset: number
  /** Values in float16 become float32 as a session is made. */
  readonly dtype: 'float32' | 'float16'
}

const OPSET = 21
const IR_VERSION = 10
/** Smaller weights are written into the model: ONNX Runtime asks shape-like constants to be there. */
const INLINE_BYTES = 1024
const ELEMENT_TYPE: Record<DType, number> = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 }

type FileSlices = ReadonlyMap<object, FileSlice>

/** How a program becomes a file that stands by itself. */
export interface OnnxFileOptions {
  /** Name of the first axis of inputs and outputs, which may have any length (see anyBatch); default: it has the program's. */
  readonly batch?: string
  /** Texts by their names (metadata_props). */
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * Encodes a program as an ONNX model (onnx.proto3: ModelProto 1 ir_version, 8 opset_import, 2 producer_name, 7 graph).
 *
 * @param inFiles weights that lie in files already: the model refers to these, and contains all others
 * @throws ShapeError when the program is not one (see checkProgram)
 */
export function encodeOnnx(p: Program, inFiles: FileSlices = new Map()): OnnxModel {
  checkProgram(p)
  const outside = outsideOf(p.weights, inFiles)
  const model = modelProto(p, graphProto(p, outside))
  const own = Array.from(outside).filter(([tensor]) => !inFiles.has(tensor))
  return { bytes: model.bytes(), weights: new Map(own.map(([{ data }, { file }]) => [file, data])) }
}

/**
 * The same with the weights inside: a file that any ONNX runtime opens (14 metadata_props: 1 key, 2 value).
 *
 * @throws ShapeError when the program is not one (see checkProgram), CoopError when it has more than 2 GB of weights
 */
export function encodeOnnxFile(p: Program, { batch, metadata = {} }: OnnxFileOptions = {}): Uint8Array<ArrayBuffer> {
  checkProgram(p)
  const model = modelProto(p, graphProto(p, new Map(), batch))
  for (const [key, value] of Object.entries(metadata)) model.message(14, new Message().text(1, key).text(2, value))
  if (model.length < MAX_BYTES) return model.bytes()
  throw new CoopError(`an ONNX file holds less than 2 GB, and this model takes ${(model.length / 1e9).toFixed(1)} GB`)
}

/** Messages of protobuf are shorter than this. */
const MAX_BYTES = 2 ** 31

function modelProto(p: Program, graph: Message): Message {
  const model = new Message()
    .int(1, IR_VERSION)
    .text(2, 'coop-ts')
    .message(7, graph)
    .message(8, new Message().text(1, '').int(2, OPSET))
  // another runtime may not know the domain
  if (!p.nodes.some(({ op }) => op.startsWith('com.microsoft.'))) return model
  return model.message(8, new Message().text(1, 'com.microsoft').int(2, 1))
}

/** Where the weights are that stand outside; those that share their data share the place. */
function outsideOf(weights: readonly Node[], inFiles: FileSlices): Map<Weight, FileSlice> {
  const slices = new Map<Weight, FileSlice>()
  const inMemory = new Map<Weight['data'], FileSlice>()
  for (const { tensor } of weights) {
    if (tensor === undefined || slices.has(tensor)) continue
    const known = inFiles.get(tensor) ?? inMemory.get(tensor.data)
    // ONNX Runtime takes what is outside either from files or from memory
    if (known === undefined && (inFiles.size > 0 || tensor.data.byteLength < INLINE_BYTES)) continue
    const slice = known ?? { file: `weight${slices.size}`, offset: 0, dtype: 'float32' }
    slices.set(tensor, slice)
    if (known === undefined) inMemory.set(tensor.data, slice)
  }
  return slices
}

/** GraphProto: 1 node, 2 name, 5 initializer, 11 input, 12 output. */
function graphProto(p: Program, outside: FileSlices, batch?: string): Message {
  const names = new Map<Value, string>()
  for (const [name, value] of p.outputs) if (!names.has(value) && value.node.inputs.length > 0) names.set(value, name)
  const nameOf = (x: Value) => x.node.name ?? names.get(x) ?? x.id
  const graph = new Message().text(2, 'program')
  for (const node of [...p.constants, ...p.weights]) {
    const [value] = node.outputs
    if (node.tensor !== undefined && value !== undefined) {
      const slice = outside.get(node.tensor)
      const isHalf = slice?.dtype === 'float16'
      const name = isHalf ? `${nameOf(value)} in float16` : nameOf(value)
      graph.message(5, tensorProto(name, node.tensor, slice))
      // before all that use them: ONNX Runtime then widens each as it is needed, not all at the start
      if (isHalf)
        graph.message(1, new Message().text(1, name).text(2, nameOf(value)).text(4, 'Cast').message(5, TO_FLOAT))
    }
  }
  for (const node of p.nodes) graph.message(1, nodeProto(node, nameOf))
  for (const [name, value] of p.outputs) {
    if (nameOf(value) !== name) graph.message(1, new Message().text(1, nameOf(value)).text(2, name).text(4, 'Identity'))
  }
  for (const node of p.inputs) for (const x of node.outputs) graph.message(11, valueInfo(nameOf(x), x, batch))
  for (const [name, value] of p.outputs) graph.message(12, valueInfo(name, value, batch))
  return graph
}

/** NodeProto: 1 input, 2 output, 4 op_type, 5 attribute, 7 domain. */
function nodeProto(node: Node, nameOf: (x: Value) => string): Message {
  const dot = node.op.lastIndexOf('.')
  const message = new Message()
  for (const x of node.inputs) message.text(1, nameOf(resolve(x)))
  for (const x of node.outputs) message.text(2, nameOf(x))
  message.text(4, node.op.slice(dot + 1))
  for (const [name, value] of Object.entries(node.attributes)) message.message(5, attributeProto(name, value))
  if (dot > 0) message.text(7, node.op.slice(0, dot))
  return message
}

/** To float32. */
const TO_FLOAT = attributeProto('to', ELEMENT_TYPE.float32)

/** AttributeProto: 1 name, 2 f, 3 i, 4 s, 8 ints, 20 type (1 FLOAT, 2 INT, 3 STRING, 7 INTS). */
function attributeProto(name: string, value: Attribute): Message {
  const message = new Message().text(1, name)
  if (typeof value === 'number') return message.int(3, value).int(20, 2)
  if (typeof value === 'string') return message.text(4, value).int(20, 3)
  if ('float' in value) return message.float(2, value.float).int(20, 1)
  for (const n of value) message.int(8, n)
  return message.int(20, 7)
}

/** TensorProto: 1 dims, 2 data_type, 8 name, 9 raw_data, 13 external_data, 14 data_location (1 EXTERNAL). */
function tensorProto(name: string, tensor: Weight, outside: FileSlice | undefined): Message {
  const message = new Message()
  for (const n of tensor.shape) message.int(1, n)
  const isHalf = outside?.dtype === 'float16'
  message.int(2, ELEMENT_TYPE[isHalf ? 'float16' : tensor.dtype]).text(8, name)
  if (outside === undefined) {
    const { buffer, byteOffset, byteLength } = tensor.data
    return message.raw(9, new Uint8Array(buffer, byteOffset, byteLength))
  }
  const { file, offset } = outside
  const length = isHalf ? 2 * sizeOf(tensor.shape) : byteLengthOf(tensor)
  const entries = { location: file, offset: `${offset}`, length: `${length}` }
  for (const [key, value] of Object.entries(entries)) message.message(13, new Message().text(1, key).text(2, value))
  return message.int(14, 1)
}

/** Of a weight that is stored nothing is read for this. */
const byteLengthOf = (tensor: Weight): number =>
  storedValues(tensor) === undefined ? tensor.data.byteLength : 4 * sizeOf(tensor.shape)

/** ValueInfoProto: 1 name, 2 type; TypeProto 1 tensor_type: 1 elem_type, 2 shape: 1 dim: 1 dim_value, 2 dim_param. */
function valueInfo(name: string, x: Value, batch?: string): Message {
  const shape = new Message()
  for (const [axis, n] of x.shape.entries()) {
    shape.message(1, axis === 0 && batch !== undefined ? new Message().text(2, batch) : new Message().int(1, n))
  }
  const type = new Message().int(1, ELEMENT_TYPE[x.dtype]).message(2, shape)
  return new Message().text(1, name).message(2, new Message().message(1, type))
}
