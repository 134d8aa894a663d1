import type { RgbImage } from '../clip/types.ts'
import { PictureFault } from './picture-fault.ts'

// PNG (https://www.w3.org/TR/png-3/). A canvas multiplies colours by alpha and manages colours: its pixels are not those of
// the file.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, i) => bytes[i] === byte)

interface Chunk {
  readonly type: string
  readonly data: Uint8Array<ArrayBuffer>
}

interface Header {
  readonly width: number
  readonly height: number
  /** Bits of a sample. */
  readonly bits: number
  readonly kind: Kind
  readonly interlaced: boolean
}

interface Kind {
  readonly bits: readonly number[]
  /** Samples of a pixel. */
  readonly samples: number
  readonly colour: 'grey' | 'rgb' | 'palette'
}

/** By the header's number. */
const KINDS: Readonly<Record<number, Kind>> = {
  0: { bits: [1, 2, 4, 8, 16], samples: 1, colour: 'grey' },
  2: { bits: [8, 16], samples: 3, colour: 'rgb' },
  3: { bits: [1, 2, 4, 8], samples: 1, colour: 'palette' },
  4: { bits: [8, 16], samples: 2, colour: 'grey' },
  6: { bits: [8, 16], samples: 4, colour: 'rgb' },
}

/** Passes of an interlaced picture: first column and row, and steps between them. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const

/** The size that a PNG states. Throws PictureFault for what is none. */
export function pngSize(bytes: Uint8Array): Pick<RgbImage, 'width' | 'height'> {
  const { width, height } = headerOf(bytes)
  return { width, height }
}

/**
 * Decodes a PNG of any kind as Pillow's `convert("RGB")` does: greys and palettes become RGB, of 16 bits the upper 8 are
 * kept, alpha is dropped, not blended, gamma and colour profiles are ignored. Throws PictureFault for one that is damaged or
 * cut short.
 */
export async function decodePng(bytes: Uint8Array): Promise<RgbImage> {
  const header = headerOf(bytes)
  const { width, height, kind, interlaced } = header
  const chunks = chunksOf(bytes)
  const palette = chunks.find(({ type }) => type === 'PLTE')?.data
  if (kind.colour === 'palette' && palette === undefined) throw new PictureFault('its palette is missing')
  const image = { width, height, data: new Uint8Array(width * height * 3) }
  const put = painter(header, palette, image)
  const rows = new RowReader(header)
  const passes = interlaced ? PASSES : ([[0, 0, 1, 1]] as const)
  const order = passes.flatMap(([x, y, dx, dy]) => {
    const [across, down] = [Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)]
    return across > 0 && down > 0 ? [{ x, y, dx, dy, across, down }] : []
  })
  let pass = 0
  let row = 0
  const unpacked = new Blob(chunks.flatMap(({ type, data }) => (type === 'IDAT' ? [data] : [])))
    .stream()
    .pipeThrough(new DecompressionStream('deflate'))
  const reader = unpacked.getReader()
  try {
    while (pass < order.length) {
      const { done, value } = await reader.read()
      if (done) break
      rows.add(value)
      for (let now = order[pass]; now !== undefined; now = order[pass]) {
        const samples = rows.next(now.across)
        if (samples === undefined) break
        put(samples, now.across, now.y + row * now.dy, now.x, now.dx)
        row++
        if (row < now.down) continue
        row = 0
        pass++
        rows.begin()
      }
    }
  } catch (cause) {
    throw cause instanceof PictureFault
      ? cause
      : new PictureFault('it is damaged, or only part of it is there', { cause })
  } finally {
    await reader.cancel().catch(() => undefined)
  }
  if (pass < order.length) throw new PictureFault('it is damaged, or only part of it is there')
  return image
}

function headerOf(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!isPng(bytes) || bytes.length < 33) throw new PictureFault('it is cut short')
  const [width, height, bits] = [view.getUint32(16), view.getUint32(20), bytes[24] ?? 0]
  const kind = KINDS[bytes[25] ?? -1]
  if (width < 1 || height < 1 || kind === undefined || !kind.bits.includes(bits)) {
    throw new PictureFault('its header is damaged')
  }
  return { width, height, bits, kind, interlaced: bytes[28] === 1 }
}

/** Its chunks up to the last; those that decide the pixels are checked. */
function chunksOf(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const chunks: Chunk[] = []
  for (let at = SIGNATURE.length; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at)
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (at + 12 + length > bytes.length) break
    const data = Uint8Array.from(bytes.subarray(at + 8, at + 8 + length))
    const isCritical = /^[A-Z]/.test(type)
    if (isCritical && crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw new PictureFault('it is damaged')
    }
    chunks.push({ type, data })
    if (type === 'IEND') return chunks
    at += 12 + length
  }
  throw new PictureFault('it is damaged, or only part of it is there')
}

/** Rows of samples without their filters, out of bytes as they come. */
class RowReader {
  readonly #bits: number
  readonly #step: number
  #waiting: Uint8Array[] = []
  #length = 0
  #before = new Uint8Array(0)

  constructor({ bits, kind }: Header) {
    this.#bits = bits * kind.samples
    this.#step = Math.max(1, this.#bits >> 3)
  }

  add(bytes: Uint8Array): void {
    this.#waiting.push(bytes)
    this.#length += bytes.length
  }

  /** Nothing is above the next row. */
  begin(): void {
    this.#before = new Uint8Array(0)
  }

  /** The bytes of the next row of so many pixels; undefined where not all of them are there yet. */
  next(pixels: number): Uint8Array | undefined {
    const row = this.#take(1 + Math.ceil((pixels * this.#bits) / 8))
    if (row === undefined) return undefined
    const values = row.subarray(1)
    const before = this.#before.length === values.length ? this.#before : new Uint8Array(values.length)
    unfilter(row[0] ?? 0, values, before, this.#step)
    this.#before = values
    return values
  }

  #take(length: number): Uint8Array<ArrayBuffer> | undefined {
    if (this.#length < length) return undefined
    const taken = new Uint8Array(length)
    this.#length -= length
    for (let filled = 0; filled < length; ) {
      const [first = new Uint8Array(0)] = this.#waiting
      const part = first.subarray(0, length - filled)
      taken.set(part, filled)
      filled += part.length
      if (part.length === first.length) this.#waiting.shift()
      else this.#waiting[0] = first.subarray(part.length)
    }
    return taken
  }
}

function unfilter(filter: number, row: Uint8Array, before: Uint8Array, step: number): void {
  if (filter > 4) throw new PictureFault('it is damaged')
  if (filter === 0) return
  for (let i = 0; i < row.length; i++) {
    const left = i < step ? 0 : row[i - step]!
    const up = before[i]!
    const corner = i < step ? 0 : before[i - step]!
    const guess = filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : nearest(left, up, corner)
    row[i] = row[i]! + guess
  }
}

/** Paeth's: whichever of the three is nearest to left + up - corner. */
function nearest(left: number, up: number, corner: number): number {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
  if (a <= b && a <= c) return left
  return b <= c ? up : corner
}

type Put = (samples: Uint8Array, pixels: number, y: number, x: number, dx: number) => void

/** Writes a row's samples into a picture as RGB. */
function painter({ bits, kind }: Header, palette: Uint8Array | undefined, { width, data }: RgbImage): Put {
  const { samples, colour } = kind
  const wide = bits === 16 ? 2 : 1
  const most = 2 ** Math.min(bits, 8) - 1
  return (row, pixels, y, x, dx) => {
    for (let i = 0; i < pixels; i++) {
      const to = (y * width + x + i * dx) * 3
      const at = i * samples * wide
      if (colour === 'rgb') {
        data[to] = row[at]!
        data[to + 1] = row[at + wide]!
        data[to + 2] = row[at + 2 * wide]!
        continue
      }
      const value = bits < 8 ? (row[(i * bits) >> 3]! >> (8 - bits - ((i * bits) & 7))) & most : row[at]!
      if (colour === 'grey') data.fill(bits < 8 ? (value * 255) / most : value, to, to + 3)
      else for (let c = 0; c < 3; c++) data[to + c] = palette?.[value * 3 + c] ?? 0
    }
  }
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n
  for (let k = 0; k < 8; k++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** An image as PNG, 8-bit RGB. */
export async function pngOf({ width, height, data }: RgbImage): Promise<Uint8Array<ArrayBuffer>> {
  const stride = width * 3
  const rows = new Uint8Array((stride + 1) * height)
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1)
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream('deflate'))
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header.set([8, 2], 8)
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk('IHDR', header),
    chunk('IDAT', new Uint8Array(await new Response(packed).arrayBuffer())),
    chunk('IEND', new Uint8Array(0)),
  ]
  return new Uint8Array(await new Blob(parts).arrayBuffer())
}

function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + data.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, data.length)
  bytes.set(new TextEncoder().encode(type), 4)
  bytes.set(data, 8)
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)))
  return bytes
}
