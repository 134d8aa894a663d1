import type { RgbImage } from '../clip/types.ts'
import { type AxisWeights, CHANNELS, filterColumns, filterRows, type Span } from './resize-kernel.ts'

/** A rectangle in pixels, edges may fall between pixels. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

// Pillow's resampling for 8-bit images (libImaging/Resample.c), figure for figure: two passes, horizontal then vertical,
// each rounded to 8 bits, weights in fixed point.

/** Bits of the weights' fraction: 32 less 8 for the value, less 2 for the sum's overshoot. */
const PRECISION_BITS = 32 - 8 - 2

/** How input pixels count, by their distance from the middle of an output pixel. */
export interface Filter {
  /** Pixels that it reaches to each side. */
  readonly support: number
  weight(distance: number): number
}

export interface ResizeOptions {
  /** Default: bicubic. */
  readonly filter?: Filter
  /** The part of the image that is resized; default: all of it. */
  readonly box?: Box
}

/**
 * Resize, antialiased, equal to Pillow's `Image.resize((width, height), BICUBIC or BILINEAR, box)` for RGB.
 * An axis that keeps its size is not filtered.
 */
export function resize(image: RgbImage, width: number, height: number, options?: ResizeOptions): RgbImage {
  return resizePart(image, { whole: width, first: 0, size: width }, { whole: height, first: 0, size: height }, options)
}

/** Of an axis resized to `whole` pixels, the `size` pixels from `first` on. */
export interface Part {
  readonly whole: number
  readonly first: number
  readonly size: number
}

/** A cut-out of a resized image, without computing the rest of it. */
export function resizePart(image: RgbImage, across: Part, down: Part, options: ResizeOptions = {}): RgbImage {
  const { filter = BICUBIC, box = wholeOf(image) } = options
  const columns = axisWeights(image.width, box.left, box.right, across, filter)
  const rows = axisWeights(image.height, box.top, box.bottom, down, filter)
  const used = rowsUsed(rows, image.height)
  const narrow = columns ? filterRows(image.data, image.width * CHANNELS, image.height, columns, used) : undefined
  const data = narrow ?? image.data
  if (rows === undefined) return { width: across.size, height: image.height, data }
  return { width: across.size, height: down.size, data: filterColumns(data, across.size * CHANNELS, rows, used) }
}

function wholeOf({ width, height }: RgbImage): Box {
  return { left: 0, top: 0, right: width, bottom: height }
}

/** Weights for mapping [from, to) of `inSize` pixels to a new size; undefined when that leaves the axis as it is. */
function axisWeights(inSize: number, from: number, to: number, part: Part, filter: Filter): AxisWeights | undefined {
  if (part.size === inSize && part.whole === inSize && from === 0 && to === inSize) return undefined
  // Pillow takes the box as 32-bit floats.
  const start = Math.fround(from)
  const scale = Math.fround(Math.fround(to) - start) / part.whole
  const filterScale = Math.max(scale, 1)
  const support = filter.support * filterScale
  const taps = Math.ceil(support) * 2 + 1
  const first = new Int32Array(part.size)
  const count = new Int32Array(part.size)
  const weights = new Int32Array(part.size * taps)
  const exact = new Float64Array(taps)
  for (let out = 0; out < part.size; out++) {
    const center = start + (part.first + out + 0.5) * scale
    const low = Math.max(Math.trunc(center - support + 0.5), 0)
    const high = Math.min(Math.trunc(center + support + 0.5), inSize)
    let sum = 0
    for (let i = 0; i < high - low; i++) {
      exact[i] = filter.weight((i + low - center + 0.5) * (1 / filterScale))
      sum += exact[i]!
    }
    for (let i = 0; i < high - low; i++) weights[out * taps + i] = fixedPoint(sum === 0 ? exact[i]! : exact[i]! / sum)
    first[out] = low
    count[out] = high - low
  }
  return { first, count, taps, weights }
}

/** Keys' cubic with a = -0.5. */
const BICUBIC: Filter = {
  support: 2,
  weight(distance) {
    const a = -0.5
    const x = Math.abs(distance)
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a
    return 0
  },
}

/** A triangle. */
export const BILINEAR: Filter = { support: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) }

function fixedPoint(weight: number): number {
  return Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION_BITS))
}

/** Rows that the vertical pass will look at; the horizontal pass skips the others. */
function rowsUsed(rows: AxisWeights | undefined, height: number): Span {
  if (rows === undefined) return { first: 0, end: height }
  const last = rows.first.length - 1
  return { first: rows.first[0]!, end: rows.first[last]! + rows.count[last]! }
}
