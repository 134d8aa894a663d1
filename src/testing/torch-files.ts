import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { crc32 } from '../formats/torch-file/crc32.ts'

/** A fixture that is kept compressed. */
export const gunzipped = (url: URL): Uint8Array => new Uint8Array(gunzipSync(readFileSync(url)))

/** An entry of a zip archive; what is left out is as it should be. */
export interface ZipPart {
  readonly name: string
  readonly data: Uint8Array
  readonly method?: number
  readonly flags?: number
  readonly crc?: number
  /** What the directory states. */
  readonly size?: number
  readonly storedSize?: number
  readonly offset?: number
  /** What the header before the data states. */
  readonly localName?: string
}

/** What the end record states, where it lies. */
export interface ZipLies {
  readonly count?: number
  readonly directorySize?: number
  readonly directoryOffset?: number
  /** Write a zip64 record as well, and sizes of the directory there alone. */
  readonly zip64?: boolean
}

/** A zip archive, honest or not, with its entries stored. */
export function zipOf(parts: readonly ZipPart[], lies: ZipLies = {}): Uint8Array {
  const pieces: Uint8Array[] = []
  const length = () => pieces.reduce((sum, { length }) => sum + length, 0)
  const encode = (text: string) => new TextEncoder().encode(text)
  const directory: Uint8Array[] = []
  for (const part of parts) {
    const { data, method = 0, flags = 0 } = part
    const crc = part.crc ?? crc32(data)
    const [size, storedSize, offset] = [
      part.size ?? data.length,
      part.storedSize ?? data.length,
      part.offset ?? length(),
    ]
    const [name, localName] = [encode(part.name), encode(part.localName ?? part.name)]
    const sizes = lies.zip64 ? [ALL_ONES, ALL_ONES] : [storedSize, size]
    const extra = lies.zip64 ? record(['2', 1], ['2', 24], ['8', size], ['8', storedSize], ['8', offset]) : record()
    pieces.push(
      record(
        ['4', 0x04034b50],
        ['2', 20],
        ['2', flags],
        ['2', method],
        ['4', 0],
        ['4', crc],
        ['4', data.length],
        ['4', data.length],
        ['2', localName.length],
        ['2', 0],
      ),
      localName,
      data,
    )
    directory.push(
      record(
        ['4', 0x02014b50],
        ['2', 20],
        ['2', 20],
        ['2', flags],
        ['2', method],
        ['4', 0],
        ['4', crc],
        ['4', sizes[0] ?? 0],
        ['4', sizes[1] ?? 0],
        ['2', name.length],
        ['2', extra.length],
        ['2', 0],
        ['2', 0],
        ['2', 0],
        ['4', 0],
        ['4', lies.zip64 ? ALL_ONES : offset],
      ),
      name,
      extra,
    )
  }
  const start = length()
  pieces.push(...directory)
  const count = lies.count ?? parts.length
  const size = lies.directorySize ?? length() - start
  const offset = lies.directoryOffset ?? start
  if (lies.zip64) {
    const at = length()
    pieces.push(
      record(
        ['4', 0x06064b50],
        ['8', 44],
        ['2', 45],
        ['2', 45],
        ['4', 0],
        ['4', 0],
        ['8', count],
        ['8', count],
        ['8', size],
        ['8', offset],
      ),
      record(['4', 0x07064b50], ['4', 0], ['8', at], ['4', 1]),
    )
  }
  const [c, s, o] = lies.zip64 ? [0xffff, ALL_ONES, ALL_ONES] : [count, size, offset]
  pieces.push(record(['4', 0x06054b50], ['2', 0], ['2', 0], ['2', c], ['2', c], ['4', s], ['4', o], ['2', 0]))
  const bytes = new Uint8Array(length())
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

const ALL_ONES = 0xffffffff

/** Little-endian numbers of 2, 4 or 8 bytes. */
function record(...fields: readonly (readonly ['2' | '4' | '8', number])[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [length]) => sum + Number(length), 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [length, value] of fields) {
    if (length === '2') view.setUint16(at, value, true)
    else if (length === '4') view.setUint32(at, value, true)
    else view.setBigUint64(at, BigInt(value), true)
    at += Number(length)
  }
  return bytes
}
