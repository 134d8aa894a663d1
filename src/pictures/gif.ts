import type { RgbImage } from '../clip/types.ts'

interface FirstFrame {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  /** Where the bytes are whose lowest bit says that an index is transparent. */
  readonly controls: readonly number[]
  /** The colour around the frame: the transparent index's, or the first of the palette. */
  readonly around: readonly number[]
}

/**
 * The bytes of a GIF whose first frame has no transparency any more: each index has the colour that the palette gives it,
 * as in Pillow's `convert("RGB")`. What is damaged is left as it is, for the decoder to say.
 */
export function withoutTransparency(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  for (const at of firstFrame(bytes)?.controls ?? []) copy[at] = copy[at]! & 0xfe
  return copy
}

/** Whether the first frame of a GIF has transparency, or is smaller than its canvas. */
export function hasOwnColours(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x47 || bytes[1] !== 0x49 || bytes[2] !== 0x46) return false
  const frame = firstFrame(bytes)
  if (frame === undefined) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const smaller = frame.width < view.getUint16(6, true) || frame.height < view.getUint16(8, true)
  return smaller || frame.controls.length > 0
}

/** Gives what is around a first frame that is smaller than its canvas the colour that Pillow gives it. */
export function paintAround(bytes: Uint8Array, { width, height, data }: RgbImage): void {
  const frame = firstFrame(bytes)
  if (frame === undefined) return
  const { left, top, around } = frame
  const paint = (y: number, from: number, to: number) => {
    for (let x = from; x < to; x++) data.set(around, (y * width + x) * 3)
  }
  for (let y = 0; y < height; y++) {
    const inside = y >= top && y < top + frame.height
    paint(y, 0, inside ? Math.min(left, width) : width)
    if (inside) paint(y, left + frame.width, width)
  }
}

const [EXTENSION, IMAGE, CONTROL] = [0x21, 0x2c, 0xf9]

/** The blocks up to the first frame; undefined where there is none. */
function firstFrame(bytes: Uint8Array): FirstFrame | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const colours = (flags: number) => (flags & 0x80 ? 2 << (flags & 7) : 0)
  const controls: number[] = []
  let index = 0
  let at = 13 + 3 * colours(bytes[10] ?? 0)
  while (at + 10 <= bytes.length) {
    if (bytes[at] === IMAGE) {
      const [left, top, width, height] = [1, 3, 5, 7].map((offset) => view.getUint16(at + offset, true))
      const own = colours(bytes[at + 9] ?? 0)
      const palette = own > 0 ? at + 10 : 13
      const known = own > 0 || colours(bytes[10] ?? 0) > 0
      const around = known ? [...bytes.slice(palette + 3 * index, palette + 3 * index + 3)] : [index, index, index]
      return { left: left ?? 0, top: top ?? 0, width: width ?? 0, height: height ?? 0, controls, around }
    }
    if (bytes[at] !== EXTENSION) return undefined
    if (bytes[at + 1] === CONTROL && bytes[at + 2] === 4 && bytes[at + 3]! & 1) {
      controls.push(at + 3)
      index = bytes[at + 6] ?? 0
    }
    at += 2
    while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]!
    at++
  }
  return undefined
}
