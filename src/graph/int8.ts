import { breathe } from '../base/breathe.ts'
import { mul, neg } from './elementwise.ts'
import { apply, type Node, type Value } from './graph.ts'
import { floatOf, type Rule, rewrite } from './lowering.ts'
import type { Program } from './program.ts'
import { reshape } from './shaping.ts'
import { type FloatTensor, floatTensor, sizeOf } from './tensor.ts'

// Products in 8 bits, as ONNX Runtime's CPU provider has them: values are whole numbers times a scale, and their products are
// summed in 32 bits (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference").

/** The largest whole number with a sign, and without. */
const [MOST, MOST_UNSIGNED] = [127, 255]
/** What stands for 0 among numbers without a sign, which the fastest products of the CPU provider take. */
const MIDDLE = 128
/** A row of zeros is not divided by 0. */
const TINY = 1e-30

/** Rows of a matrix, each as whole numbers from -127 to 127 times its own scale. */
export interface RoundedRows {
  readonly codes: Int8Array
  /** A scale a row. */
  readonly scales: Float32Array
}

/**
 * Each row (all that one output is made of) as whole numbers:
 *
 *     w ~ scale code,   scale = max |w| / 127,   code = round(w / scale)
 */
export function roundRows({ shape, data }: FloatTensor): RoundedRows {
  const [rows = 0, ...row] = shape
  const size = sizeOf(row)
  const codes = new Int8Array(data.length)
  const scales = new Float32Array(rows)
  for (let r = 0; r < rows; r++) {
    let [least, most] = [0, 0]
    for (let i = r * size; i < (r + 1) * size; i++) {
      const w = data[i]!
      if (w > most) most = w
      else if (w < least) least = w
    }
    const scale = Math.max(most, -least) / MOST
    scales[r] = scale
    // Math.round, which costs three times this
    if (scale > 0) for (let i = r * size; i < (r + 1) * size; i++) codes[i] = ((data[i]! / scale + 128.5) | 0) - 128
  }
  return { codes, scales }
}

/** Values as whole numbers from 0 to 255: x ~ scale (code - zero). */
export interface Codes {
  readonly scale: number
  readonly zero: number
}

/** Codes of values from `least` to `most`, which have 0 among them. */
export function codesOf(least: number, most: number): Codes {
  const scale = (most - least) / MOST_UNSIGNED || 1
  return { scale, zero: Math.min(MOST_UNSIGNED, Math.max(0, Math.round(-least / scale))) }
}

/** A matrix with its rows and columns swapped. */
function turned(codes: Int8Array, rows: number, columns: number): Int8Array {
  const BLOCK = 64
  const out = new Int8Array(codes.length)
  for (let first = 0; first < rows; first += BLOCK) {
    const end = Math.min(rows, first + BLOCK)
    for (let c = 0; c < columns; c++) {
      for (let r = first; r < end; r++) out[c * rows + r] = codes[r * columns + c]!
    }
  }
  return out
}

/** A weight that a program multiplies by, turned: x W^T. */
function factorOf({ op, inputs, attributes }: Node): Node | undefined {
  const weight = inputs[1]?.node
  const isProduct = op === 'com.microsoft.FusedMatMul' && attributes.transA === 0 && attributes.transB === 1
  return isProduct && weight?.op === 'weight' && weight.tensor?.dtype === 'float32' ? weight : undefined
}

/**
 * The same program with its linear layers x W^T in 8 bits: weights by `roundRows`, and each row of x likewise at each run, so that
 * its digits do not depend on the other rows.
 */
export async function int8Linear<Out extends string>(p: Program<Out>): Promise<Program<Out>> {
  const rounded = new Map<Node, { readonly codes: Int8Array; readonly scales: FloatTensor }>()
  for (const weight of p.nodes.flatMap((node) => factorOf(node) ?? [])) {
    const { tensor } = weight
    if (tensor?.dtype !== 'float32' || rounded.has(weight)) continue
    const [to = 0, from = 0] = tensor.shape
    const { codes, scales } = roundRows(tensor)
    rounded.set(weight, { codes: turned(codes, to, from), scales: floatTensor([to], scales) })
    const breath = breathe()
    if (breath) await breath
  }
  const product: Rule = (node, inputs, graph) => {
    const weight = factorOf(node)
    const { codes, scales } = (weight && rounded.get(weight)) ?? {}
    const [x] = inputs
    const [y] = node.outputs
    if (x === undefined || y === undefined) throw new Error(`${node.op} has inputs and an output`)
    if (weight === undefined || codes === undefined || scales === undefined)
      return one(graph.apply({ ...node, inputs, gradient: 'none' }))
    const { name = '' } = weight
    const [from = 0] = x.shape.slice(-1)
    const [rows = 0] = x.shape
    const reduced = (op: string) => apply(op, [x, graph.ints([1])], [rows], 'none', { keepdims: 0 })
    const largest = apply('Max', [reduced('ReduceMax'), neg(reduced('ReduceMin')), graph.scalar(TINY)], [rows], 'none')
    const scale = mul(largest, graph.scalar(1 / MOST))
    const zero = graph.constant({ dtype: 'uint8', shape: [], data: Uint8Array.of(MIDDLE) })
    const zeros = graph.constant({ dtype: 'uint8', shape: [rows], data: new Uint8Array(rows).fill(MIDDLE) })
    const code = apply('QuantizeLinear', [x, scale, zeros], x.shape, 'none', { axis: 0 }, 'uint8')
    const factor = graph.weight(`${name} in 8 bits`, { dtype: 'int8', shape: [from, scales.data.length], data: codes })
    const factors: [Value, ...Value[]] = [code, factor, graph.scalar(1), graph.weight(`${name}.scale`, scales), zero]
    const sums = apply('com.microsoft.MatMulIntegerToFloat', factors, y.shape, 'none', {}, 'float32')
    return mul(sums, reshape(mul(scale, graph.scalar(floatOf(node, 'alpha'))), [rows, 1]))
  }
  return rewrite(p, { 'com.microsoft.FusedMatMul': product })
}

function one([x]: readonly Value[]): Value {
  if (x === undefined) throw new Error('an operator without outputs')
  return x
}
