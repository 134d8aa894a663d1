import type { RgbImage } from '../clip/types.ts'

const text = (bytes: Uint8Array, from: number, length: number) =>
  String.fromCharCode(...bytes.subarray(from, from + length))

/** The EXIF orientation of a JPEG, PNG or WebP, 1 to 8; 1 where it says none. */
export function orientationOf(bytes: Uint8Array): number {
  const value = orientationPlace(bytes)?.get() ?? 1
  return value >= 1 && value <= 8 ? value : 1
}

/** A copy of a picture's bytes that says no orientation, for a decoder that follows it unasked. */
export function withoutOrientation(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes)
  orientationPlace(copy)?.set(1)
  return copy
}

function orientationPlace(bytes: Uint8Array): { get(): number; set(value: number): void } | undefined {
  const exif = exifOfFile(bytes)
  return exif && placeIn(text(exif, 0, 6) === 'Exif\0\0' ? exif.subarray(6) : exif)
}

function exifOfFile(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return exifOfJpeg(bytes)
  if (text(bytes, 1, 3) === 'PNG')
    return exifIn(bytes, 8, 'eXIf', (view, at) => ({
      length: view.getUint32(at),
      type: at + 4,
      data: at + 8,
      end: at + 12 + view.getUint32(at),
    }))
  if (text(bytes, 0, 4) !== 'RIFF' || text(bytes, 8, 4) !== 'WEBP') return undefined
  return exifIn(bytes, 12, 'EXIF', (view, at) => {
    const length = view.getUint32(at + 4, true)
    return { length, type: at, data: at + 8, end: at + 8 + length + (length & 1) }
  })
}

interface Place {
  readonly length: number
  readonly type: number
  readonly data: number
  readonly end: number
}

function exifIn(
  bytes: Uint8Array,
  start: number,
  wanted: string,
  placeAt: (view: DataView, at: number) => Place,
): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = start; at + 12 <= bytes.length; ) {
    const { type, data, length, end } = placeAt(view, at)
    if (text(bytes, type, 4) === wanted) return bytes.subarray(data, data + length)
    at = end
  }
  return undefined
}

function exifOfJpeg(bytes: Uint8Array): Uint8Array | undefined {
  for (const { marker, start, end } of jpegSegments(bytes)) {
    if (marker === 0xe1 && text(bytes, start, 6) === 'Exif\0\0') return bytes.subarray(start, end)
  }
  return undefined
}

/** The segments of a JPEG before its pixels. */
export function* jpegSegments(bytes: Uint8Array): Generator<{ marker: number; start: number; end: number }> {
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1] ?? 0
    if (marker === 0xff) {
      at++
      continue
    }
    if (marker === 0xda || marker === 0xd9) return
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!
    yield { marker, start: at + 4, end: at + 2 + length }
    at += 2 + length
  }
}

const ORIENTATION = 0x112

/** In TIFF's first directory, which EXIF is. */
function placeIn(exif: Uint8Array): ReturnType<typeof orientationPlace> {
  if (exif.length < 14) return undefined
  const little = exif[0] === 0x49
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength)
  const first = view.getUint32(4, little)
  if (first + 2 > exif.length) return undefined
  const entries = view.getUint16(first, little)
  for (let i = 0; i < entries; i++) {
    const at = first + 2 + 12 * i
    if (at + 12 > exif.length) break
    if (view.getUint16(at, little) !== ORIENTATION) continue
    return { get: () => view.getUint16(at + 8, little), set: (value) => view.setUint16(at + 8, value, little) }
  }
  return undefined
}

/** A picture turned and mirrored as its EXIF orientation means it. */
export function turnedBy(image: RgbImage, orientation: number): RgbImage {
  if (orientation < 2 || orientation > 8) return image
  const { width: w, height: h, data } = image
  const isSwapped = orientation > 4
  const [width, height] = isSwapped ? [h, w] : [w, h]
  // where in the file a pixel of the turned picture is from
  const fromX = [2, 3, 7, 8].includes(orientation)
  const fromY = [3, 4, 6, 7].includes(orientation)
  const turned = new Uint8Array(data.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [a, b] = isSwapped ? [y, x] : [x, y]
      const from = ((fromY ? h - 1 - b : b) * w + (fromX ? w - 1 - a : a)) * 3
      const to = (y * width + x) * 3
      turned[to] = data[from]!
      turned[to + 1] = data[from + 1]!
      turned[to + 2] = data[from + 2]!
    }
  }
  return { width, height, data: turned }
}
