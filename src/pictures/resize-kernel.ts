import { RESIZE_WASM } from './resize-wasm.ts'

/** Bytes of a pixel. */
export const CHANNELS = 3

/** Which input pixels make an output pixel, and how much each counts: `taps` weights an output pixel, in fixed point. */
export interface AxisWeights {
  readonly first: Int32Array
  readonly count: Int32Array
  readonly taps: number
  readonly weights: Int32Array
}

/** Rows of an image, from `first` to before `end`. */
export interface Span {
  readonly first: number
  readonly end: number
}

/** What resize.wat exports, in memory of its own. */
interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): void }
  readonly horizontal: (...values: number[]) => void
  readonly vertical: (...values: number[]) => void
}

/** As much of it as is used here: not all environments' types have it. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: Kernel }
}

const PAGE = 65_536
/** Bytes of rows that are filtered at a time: they stay in the processor's cache. */
const BAND = 1 << 20
/** Memory that is kept for the next picture; more is given back. */
const KEPT = 1 << 26
/** Bytes that are read and written beyond the end of a row. */
const BEYOND = 16

let kept: Kernel | undefined

/** The horizontal pass over some rows of an image; those outside `used` stay black: nobody looks at them. */
export function filterRows(data: Uint8Array, stride: number, height: number, columns: AxisWeights, used: Span) {
  const width = columns.first.length
  const narrow = new Uint8Array(width * height * CHANNELS)
  const row = width * CHANNELS
  const padded = row + BEYOND
  const rows = Math.max(2, 2 * Math.floor(BAND / stride / 2))
  const table = tableOf(columns, CHANNELS)
  // an odd number of rows ends with one that nobody looks at
  const { kernel, memory, at } = placed([table.byteLength, stride * rows + BEYOND, padded * rows])
  const [tableAt, source, target] = at
  memory.set(new Uint8Array(table.buffer), tableAt)
  for (let y = used.first; y < used.end; y += rows) {
    const some = Math.min(rows, used.end - y)
    memory.set(data.subarray(y * stride, (y + some) * stride), source)
    const even = some + (some % 2)
    kernel.horizontal(source, stride, even, tableAt, 4 * (columns.taps + 2), width, target, padded)
    for (let i = 0; i < some; i++) {
      const from = target + i * padded
      narrow.set(memory.subarray(from, from + row), (y + i) * row)
    }
  }
  return narrow
}

/** The vertical pass: channels stand side by side, so a row is filtered as one line of bytes. */
export function filterColumns(data: Uint8Array, stride: number, rows: AxisWeights, used: Span): Uint8Array {
  const height = rows.first.length
  const table = tableOf({ ...rows, first: rows.first.map((y) => y - used.first) }, stride)
  const there = data.subarray(used.first * stride, used.end * stride)
  const { kernel, memory, at } = placed([table.byteLength, there.length + BEYOND, stride * height + BEYOND])
  const [tableAt, source, target] = at
  memory.set(new Uint8Array(table.buffer), tableAt)
  memory.set(there, source)
  kernel.vertical(source, stride, tableAt, 4 * (rows.taps + 2), height, target)
  return memory.slice(target, target + stride * height)
}

/** A record for each output pixel: its first byte, `step` bytes a pixel; its number of input pixels; their weights. */
function tableOf({ first, count, taps, weights }: AxisWeights, step: number): Int32Array {
  const table = new Int32Array(first.length * (taps + 2))
  for (let out = 0; out < first.length; out++) {
    const at = out * (taps + 2)
    table[at] = first[out]! * step
    table[at + 1] = count[out]!
    table.set(weights.subarray(out * taps, (out + 1) * taps), at + 2)
  }
  return table
}

/** The kernel, its memory, which has grown to hold three parts of these sizes, and where they begin. */
function placed([a, b, c]: readonly [number, number, number]) {
  const kernel = kept !== undefined && kept.memory.buffer.byteLength <= KEPT ? kept : started()
  kept = kernel
  const at = [0, up(a), up(a) + up(b)] as const
  const lacking = at[2] + up(c) - kernel.memory.buffer.byteLength
  if (lacking > 0) kernel.memory.grow(Math.ceil(lacking / PAGE))
  return { kernel, memory: new Uint8Array(kernel.memory.buffer), at }
}

const up = (bytes: number) => 16 * Math.ceil(bytes / 16)

function started(): Kernel {
  const code = Uint8Array.from(atob(RESIZE_WASM), (letter) => letter.charCodeAt(0))
  return new WebAssembly.Instance(new WebAssembly.Module(code)).exports
}
