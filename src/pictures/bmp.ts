import type { RgbImage } from '../clip/types.ts'
import { PictureFault } from './picture-fault.ts'

/** How a BMP says that its pixels are packed. */
const [PLAIN, RUNS_8, RUNS_4, MASKS, MASKS_ALPHA] = [0, 1, 2, 3, 6]

interface Header {
  readonly width: number
  readonly height: number
  readonly topDown: boolean
  readonly bits: number
  readonly packing: number
  /** Where the rows begin, and where the palette does. */
  readonly rows: number
  readonly palette: number
  readonly colours: number
  /** Bytes of a colour of the palette. */
  readonly step: number
}

const BITS = [1, 4, 8, 16, 24, 32]
/** Sizes of the header: OS/2's (12, 64 and its short form 16) and Windows' from 3.0 on. */
const [OS2, HEADERS] = [12, [12, 16, 40, 52, 56, 64, 108, 124]]

/** The size that a BMP states. Throws Error for what is none, or of a kind that is not read. */
export function bmpSize(bytes: Uint8Array): Pick<RgbImage, 'width' | 'height'> {
  const { width, height } = headerOf(viewOf(bytes))
  return { width, height }
}

/**
 * Decodes a BMP as Pillow does: 1, 4 and 8 bits by the palette (also run-length coded), 16, 24 and 32 bits (also with
 * bit masks), from the bottom or from the top; alpha is dropped. (`bmp-ts` of the registry swaps red and blue of palettes.)
 * Throws Error when it is cut short, contradicts itself or is of another kind.
 */
export function decodeBmp(bytes: Uint8Array): RgbImage {
  const view = viewOf(bytes)
  const header = headerOf(view)
  const { width, height, topDown, bits, packing } = header
  if (bits > 8) return decodeDirect(view, header)
  const stride = packing === PLAIN ? strideOf(header) : width
  const packed = packing === PLAIN ? plainRows(bytes, header) : decodeRuns(bytes, header)
  const perByte = packing === PLAIN ? 8 / bits : 1
  const colours = paletteOf(bytes, header)
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    const from = (topDown ? y : height - 1 - y) * stride
    for (let x = 0; x < width; x++) {
      const byte = packed[from + Math.floor(x / perByte)]!
      const index = perByte === 1 ? byte : (byte >> (8 - bits * ((x % perByte) + 1))) & ((1 << bits) - 1)
      data.set(colours.subarray(index * 3, index * 3 + 3), (y * width + x) * 3)
    }
  }
  return { width, height, data }
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function headerOf(view: DataView): Header {
  if (view.byteLength < 26) throw new PictureFault('it is cut short')
  const size = view.getUint32(14, true)
  if (!HEADERS.includes(size)) throw new PictureFault(`a BMP with a header of ${size} bytes is not supported`)
  if (view.byteLength < 14 + size) throw new PictureFault('it is cut short')
  const old = size === OS2
  const width = old ? view.getUint16(18, true) : view.getInt32(18, true)
  const signed = old ? view.getUint16(20, true) : view.getInt32(22, true)
  const bits = view.getUint16(old ? 24 : 28, true)
  const packing = size < 40 ? PLAIN : view.getUint32(30, true)
  const height = Math.abs(signed)
  if (width < 1 || height < 1) throw new PictureFault(`a BMP of ${width} x ${height} is not a picture`)
  const bitsOfRuns = packing === RUNS_8 ? [8] : [4]
  const possible =
    packing === PLAIN
      ? BITS
      : packing === RUNS_8 || packing === RUNS_4
        ? bitsOfRuns
        : (packing === MASKS || packing === MASKS_ALPHA) && size !== 64
          ? [16, 32]
          : []
  if (!possible.includes(bits))
    throw new PictureFault(`a BMP of ${bits} bits and compression ${packing} is not supported`)
  const stated = size < 40 ? 0 : view.getUint32(46, true)
  const colours = stated === 0 || stated > 2 ** bits ? 2 ** Math.min(bits, 8) : stated
  const rows = view.getUint32(10, true)
  return { width, height, topDown: signed < 0, bits, packing, rows, palette: 14 + size, colours, step: old ? 3 : 4 }
}

/** Bytes of a row, filled up to a multiple of four. */
const strideOf = ({ width, bits }: Header) => Math.ceil((width * bits) / 32) * 4

function plainRows(bytes: Uint8Array, header: Header): Uint8Array {
  const rows = bytes.subarray(header.rows)
  // the filling of the last row may be missing
  if (rows.length < strideOf(header) * (header.height - 1) + Math.ceil((header.width * header.bits) / 8)) {
    throw new PictureFault('it is cut short')
  }
  return rows
}

/** Red, green and blue of 256 colours; those that the file lacks are black. */
function paletteOf(bytes: Uint8Array, { palette, colours, step }: Header): Uint8Array {
  const all = new Uint8Array(256 * 3)
  for (let i = 0; i < Math.min(colours, 256); i++) {
    const [blue = 0, green = 0, red = 0] = bytes.subarray(palette + i * step, palette + i * step + 3)
    all.set([red, green, blue], i * 3)
  }
  return all
}

function decodeDirect(view: DataView, header: Header): RgbImage {
  const { width, height, topDown, bits } = header
  const rows = plainRows(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), header)
  const stride = strideOf(header)
  const data = new Uint8Array(width * height * 3)
  const size = bits / 8
  const channels = bits === 24 ? undefined : masksOf(view, header).map(channelOf)
  for (let y = 0; y < height; y++) {
    let from = (topDown ? y : height - 1 - y) * stride
    let to = y * width * 3
    for (let x = 0; x < width; x++, from += size, to += 3) {
      if (channels === undefined) {
        data[to] = rows[from + 2]!
        data[to + 1] = rows[from + 1]!
        data[to + 2] = rows[from]!
        continue
      }
      const low = rows[from]! | (rows[from + 1]! << 8)
      const pixel = size === 2 ? low : (low | (rows[from + 2]! << 16) | (rows[from + 3]! << 24)) >>> 0
      for (let c = 0; c < 3; c++) data[to + c] = channels[c]!(pixel)
    }
  }
  return { width, height, data }
}

/** Where red, green and blue stand in a pixel. */
function masksOf(view: DataView, { packing, bits }: Header): number[] {
  if (packing === PLAIN) return bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff]
  if (view.byteLength < 66) throw new PictureFault('it is cut short')
  return [54, 58, 62].map((at) => view.getUint32(at, true))
}

function channelOf(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0
  const shift = 31 - Math.clz32(mask & -mask)
  const most = mask >>> shift
  return (pixel) => Math.floor((((pixel & mask) >>> shift) * 255) / most)
}

/** Pixels that a byte of run-length coded rows gives at most, with some to spare for rows that are skipped. */
const MOST_BY_RUNS = 1024

/** Run-length coded rows as an index a byte; what is skipped is 0. */
function decodeRuns(bytes: Uint8Array, { width, height, packing, rows }: Header): Uint8Array {
  if (width * height > MOST_BY_RUNS * bytes.length) throw new PictureFault('it is cut short')
  const indices = new Uint8Array(width * height)
  const half = packing === RUNS_4
  let [x, y, at] = [0, 0, rows]
  const byte = () => {
    const value = bytes[at++]
    if (value === undefined) throw new PictureFault('it is cut short')
    return value
  }
  const put = (index: number) => {
    if (x < width && y < height) indices[y * width + x] = index
    x++
  }
  while (y < height) {
    const count = byte()
    const value = byte()
    if (count > 0) {
      for (let i = 0; i < count; i++) put(half ? (i % 2 === 0 ? value >> 4 : value & 15) : value)
    } else if (value === 0) {
      x = 0
      y++
    } else if (value === 1) {
      break
    } else if (value === 2) {
      x += byte()
      y += byte()
    } else {
      const length = half ? Math.ceil(value / 2) : value
      for (let i = 0, pair = 0; i < value; i++) {
        if (!half || i % 2 === 0) pair = byte()
        put(half ? (i % 2 === 0 ? pair >> 4 : pair & 15) : pair)
      }
      at += length % 2
    }
  }
  return indices
}
