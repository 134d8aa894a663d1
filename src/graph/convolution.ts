import { anObject, checkArguments } from '../base/arguments.ts'
import { scale } from './elementwise.ts'
import { apply, expectShapes, expectValues, type Value } from './graph.ts'
import { matmul } from './matrix.ts'
import { concat, flip, pad, reshape, slice, transpose } from './shaping.ts'
import { dims, floatTensor } from './tensor.ts'

/** How a convolution goes over a picture. */
export interface ConvOptions {
  /** Pixels from one position of the kernel to the next; default 1. */
  readonly stride?: number
  /** Zeros on each side of height and width; default 0. */
  readonly padding?: number
}

/**
 * Convolution: x `(n, cin, h, w)`, kernel `(cout, cin, k, k)` -> `(n, cout, h', w')`.
 *
 * dx is a convolution of dy with the kernel flipped and its channels swapped (stride 1), or ConvTranspose.
 * dkernel is a matrix product a kernel cell: dy against x shifted by that cell.
 */
export function conv2d(x: Value, kernel: Value, options: ConvOptions = {}): Value {
  expectValues('conv2d', [x, kernel])
  checkArguments('conv2d', { options }, { options: anObject })
  const { stride = 1, padding = 0 } = options
  const [n, cin, h, w] = dims(x, 4, 'conv2d')
  const [cout, kin, k, kw] = dims(kernel, 4, 'conv2d, kernel')
  const shapesFit = cin === kin && k === kw
  const optionsFit = [stride, padding].every(Number.isInteger) && stride >= 1 && 0 <= padding && padding < k
  expectShapes(
    shapesFit && optionsFit && h + 2 * padding >= k && w + 2 * padding >= k,
    'conv2d',
    [x, kernel],
    `(n, cin, h, w) and a square kernel (cout, cin, k, k), stride ${stride} >= 1, 0 <= padding ${padding} < k`,
  )
  const oh = Math.floor((h + 2 * padding - k) / stride) + 1
  const ow = Math.floor((w + 2 * padding - k) / stride) + 1
  return apply(
    'Conv',
    [x, kernel],
    [n, cout, oh, ow],
    (dy) => [convInputGradient(dy, kernel, x, stride, padding), convKernelGradient(dy, kernel, x, stride, padding)],
    { strides: [stride, stride], pads: [padding, padding, padding, padding], kernel_shape: [k, k] },
  )
}

function convInputGradient(dy: Value, kernel: Value, x: Value, stride: number, padding: number): Value {
  const [, , k] = dims(kernel, 4)
  if (stride === 1) return conv2d(dy, transpose(flip(kernel, [2, 3]), [1, 0, 2, 3]), { padding: k - 1 - padding })
  const [, , h, w] = dims(x, 4)
  const [, , oh, ow] = dims(dy, 4)
  const missing = (side: number, out: number) => side - ((out - 1) * stride - 2 * padding + k)
  return apply('ConvTranspose', [dy, kernel], x.shape, 'none', {
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    output_padding: [missing(h, oh), missing(w, ow)],
    kernel_shape: [k, k],
  })
}

function convKernelGradient(dy: Value, kernel: Value, x: Value, stride: number, padding: number): Value {
  const [cout, cin, k] = dims(kernel, 4)
  const [n, , oh, ow] = dims(dy, 4)
  const pixels = n * oh * ow
  const rows = reshape(transpose(dy, [0, 2, 3, 1]), [pixels, cout])
  const patches = patchRows(transpose(x, [0, 2, 3, 1]), k, stride, padding, oh, ow)
  const cells = matmul(rows, patches, { transA: true })
  return transpose(reshape(cells, [cout, k, k, cin]), [0, 3, 1, 2])
}

/**
 * The pixels under each kernel position: x `(n, h, w, c)` -> `(n h' w', k k c)`. A convolution over pictures with their
 * channels last is this times a matrix.
 */
function patchRows(x: Value, k: number, stride: number, padding: number, oh: number, ow: number): Value {
  const [n, , , c] = dims(x, 4)
  const padded = pad(x, [0, padding, padding, 0], [0, padding, padding, 0])
  const cells: Value[] = []
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      cells.push(every(every(padded, 1, i, oh, stride), 2, j, ow, stride))
    }
  }
  return reshape(concat(cells, 3), [n * oh * ow, k * k * c])
}

/** `count` entries of an axis, from `start` on, each `step`-th. */
function every(x: Value, axis: number, start: number, count: number, step: number): Value {
  if (step === 1) return slice(x, axis, start, start + count)
  const { graph } = x
  const shape = x.shape.map((n, i) => (i === axis ? count : n))
  const end = start + (count - 1) * step + 1
  return apply(
    'Slice',
    [x, graph.ints([start]), graph.ints([end]), graph.ints([axis]), graph.ints([step])],
    shape,
    'none',
  )
}

/** Mean of each `size x size` square, side by side: x `(n, c, h, w)` -> `(n, c, h / size, w / size)`. */
export function averagePool(x: Value, size: number): Value {
  expectValues('averagePool', [x])
  const [n, c, h, w] = dims(x, 4, 'averagePool')
  expectShapes(
    Number.isInteger(size) && size >= 1 && h % size === 0 && w % size === 0,
    'averagePool',
    [x],
    `(n, c, h, w) with sides that ${size} divides`,
  )
  if (size === 1) return x
  return apply(
    'AveragePool',
    [x],
    [n, c, h / size, w / size],
    (dy) => [repeatPixels(scale(dy, 1 / (size * size)), size)],
    { kernel_shape: [size, size], strides: [size, size] },
  )
}

/** Each pixel as a `size x size` square: what average pooling's gradient does. (n, c, h, w) -> (n, c, h size, w size) */
function repeatPixels(x: Value, size: number): Value {
  const [n, c, h, w] = dims(x, 4)
  const { graph } = x
  const none = graph.constant(floatTensor([0]))
  const scales = graph.constant(floatTensor([4], Float32Array.of(1, 1, size, size)))
  return apply(
    'Resize',
    [x, none, scales],
    [n, c, h * size, w * size],
    (dy) => [scale(averagePool(dy, size), size * size), null, null],
    { mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'asymmetric' },
  )
}
