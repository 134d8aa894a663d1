import type { ByteSource } from '../safetensors.ts'
import { broken } from './broken.ts'
import { crc32 } from './crc32.ts'

// Zip archives as torch.save and TorchScript write them: the central directory at the end (zip64 for large ones), what is
// read stored as it is. Nothing is ever inflated, so nothing can be larger than the file.
// Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

export interface ZipArchive {
  /** Sizes of the entries, by name. */
  readonly sizes: ReadonlyMap<string, number>
  /**
   * `length` bytes of an entry from `offset` on (default: all of it; the checksum is verified then).
   * Throws FileError when the entry is missing, compressed, damaged or shorter.
   */
  read(name: string, offset?: number, length?: number): Promise<Uint8Array>
}

interface Entry {
  readonly name: string
  readonly headerOffset: number
  readonly size: number
  readonly storedSize: number
  readonly method: number
  readonly encrypted: boolean
  readonly crc: number
}

const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
const END_64 = 0x06064b50
const LOCATOR_64 = 0x07064b50
const LOCAL_BYTES = 30
const CENTRAL_BYTES = 46
const END_BYTES = 22
const END_64_BYTES = 56
const LOCATOR_64_BYTES = 20
const MAX_COMMENT = 0xffff

/** Far above any model: a file of hundreds of layers has some thousand entries. */
const MAX_ENTRIES = 200_000
const MAX_DIRECTORY_BYTES = 64 << 20

/** Opens a zip archive; its whole directory is checked. Throws FileError for a damaged or dishonest one. */
export async function openZip(source: ByteSource): Promise<ZipArchive> {
  const directory = await findDirectory(source)
  const entries = readDirectory(source.name, await exactly(source, directory.offset, directory.size), directory.count)
  const ends = checkOverlap(source.name, entries, directory.offset)
  const byName = new Map(entries.map((entry) => [entry.name, entry]))

  return {
    sizes: new Map(entries.map(({ name, size }) => [name, size])),
    async read(name, offset = 0, length) {
      const entry = byName.get(name)
      if (entry === undefined) throw broken(source.name, `it has no entry ${show(name)}`)
      checkReadable(source.name, entry)
      const wanted = length ?? entry.size - offset
      if (offset < 0 || wanted < 0 || offset + wanted > entry.size) {
        throw broken(source.name, `${show(name)} has ${entry.size} bytes, but ${offset + wanted} are needed`)
      }
      const start = await dataOffset(source, entry)
      if (start + entry.size > (ends.get(entry) ?? 0))
        throw broken(source.name, `${show(name)} overlaps what follows it`)
      const bytes = await exactly(source, start + offset, wanted)
      // torch can be set to leave checksums out; it writes 0 then
      if (wanted === entry.size && entry.crc !== 0 && crc32(bytes) !== entry.crc) {
        throw broken(source.name, `the checksum of ${show(name)} does not match its bytes (damaged?)`)
      }
      return bytes
    },
  }
}

function checkReadable(file: string, { name, size, storedSize, method, encrypted }: Entry): void {
  if (encrypted) throw broken(file, `${show(name)} is encrypted`)
  if (method !== 0) {
    throw broken(
      file,
      `${show(name)} is compressed, but torch stores tensors uncompressed`,
      'write the file with torch.save, not with a zip tool',
    )
  }
  if (storedSize !== size) {
    throw broken(file, `${show(name)} is stored in ${storedSize} bytes but states a size of ${size}`)
  }
}

interface Directory {
  readonly offset: number
  readonly size: number
  readonly count: number
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const tailStart = Math.max(0, source.size - END_BYTES - MAX_COMMENT)
  const tail = view(await exactly(source, tailStart, source.size - tailStart))
  const end = findEnd(tail)
  if (end === undefined) throw broken(source.name, 'it has no zip directory at its end (truncated?)')
  const endOffset = tailStart + end
  const directory = (await findEnd64(source, endOffset)) ?? {
    count: tail.getUint16(end + 10, true),
    size: tail.getUint32(end + 12, true),
    offset: tail.getUint32(end + 16, true),
  }
  const { offset, size, count } = directory
  if (offset + size > endOffset) throw broken(source.name, 'its zip directory is outside the file (truncated?)')
  if (size > MAX_DIRECTORY_BYTES || count > MAX_ENTRIES || count * CENTRAL_BYTES > size) {
    throw broken(source.name, `its zip directory states ${count} entries in ${size} bytes`)
  }
  return directory
}

/** Where the end record begins: the last place whose comment fills the file exactly. */
function findEnd(tail: DataView): number | undefined {
  for (let i = tail.byteLength - END_BYTES; i >= 0; i--) {
    if (tail.getUint32(i, true) === END && i + END_BYTES + tail.getUint16(i + 20, true) === tail.byteLength) return i
  }
  return undefined
}

/** The directory of the zip64 end record, where a locator before the end record leads to one. */
async function findEnd64(source: ByteSource, endOffset: number): Promise<Directory | undefined> {
  const locatorOffset = endOffset - LOCATOR_64_BYTES
  if (locatorOffset < 0) return undefined
  const locator = view(await exactly(source, locatorOffset, LOCATOR_64_BYTES))
  if (locator.getUint32(0, true) !== LOCATOR_64) return undefined
  const offset = large(source.name, locator, 8)
  if (offset + END_64_BYTES > locatorOffset) throw broken(source.name, 'its zip64 record is outside the file')
  const record = view(await exactly(source, offset, END_64_BYTES))
  if (record.getUint32(0, true) !== END_64) throw broken(source.name, 'its zip64 record is damaged')
  return {
    count: large(source.name, record, 32),
    size: large(source.name, record, 40),
    offset: large(source.name, record, 48),
  }
}

function readDirectory(file: string, bytes: Uint8Array, count: number): Entry[] {
  const data = view(bytes)
  const names = new Set<string>()
  const entries: Entry[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    const damaged = () => broken(file, `entry ${i + 1} of its zip directory is damaged`)
    if (at + CENTRAL_BYTES > bytes.length || data.getUint32(at, true) !== CENTRAL) throw damaged()
    const nameLength = data.getUint16(at + 28, true)
    const extraLength = data.getUint16(at + 30, true)
    const extraStart = at + CENTRAL_BYTES + nameLength
    const next = extraStart + extraLength + data.getUint16(at + 32, true)
    if (next > bytes.length) throw damaged()
    const name = nameOf(file, bytes.subarray(at + CENTRAL_BYTES, extraStart))
    if (names.has(name)) throw broken(file, `it has two entries ${show(name)}`)
    names.add(name)
    const extra = new DataView(bytes.buffer, bytes.byteOffset + extraStart, extraLength)
    const [size, storedSize, headerOffset] = sizesOf(file, data, at, extra)
    entries.push({
      name,
      headerOffset,
      size,
      storedSize,
      method: data.getUint16(at + 10, true),
      encrypted: (data.getUint16(at + 8, true) & 1) !== 0,
      crc: data.getUint32(at + 16, true),
    })
    at = next
  }
  return entries
}

/** Size, stored size and place of an entry; those that 32 bits cannot hold stand in the zip64 field, in this order. */
function sizesOf(file: string, data: DataView, at: number, extra: DataView): [number, number, number] {
  let field = zip64Field(extra)
  const read = (offset: number) => {
    const short = data.getUint32(at + offset, true)
    if (short !== 0xffffffff) return short
    if (field === undefined || field.byteLength < 8) throw broken(file, 'a large entry of its zip directory is damaged')
    const value = large(file, field, 0)
    field = new DataView(field.buffer, field.byteOffset + 8, field.byteLength - 8)
    return value
  }
  const [size, storedSize] = [read(24), read(20)]
  return [size, storedSize, read(42)]
}

function zip64Field(extra: DataView): DataView | undefined {
  let at = 0
  while (at + 4 <= extra.byteLength) {
    const length = extra.getUint16(at + 2, true)
    if (at + 4 + length > extra.byteLength) return undefined
    if (extra.getUint16(at, true) === 1) return new DataView(extra.buffer, extra.byteOffset + at + 4, length)
    at += 4 + length
  }
  return undefined
}

/** Names lead nowhere here, but one that would be written outside its folder is no name that torch writes. */
function nameOf(file: string, bytes: Uint8Array): string {
  let name: string
  try {
    name = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw broken(file, 'the name of an entry is not UTF-8', undefined, cause)
  }
  if (/^[/\\]|\\|\0|(^|\/)\.\.(\/|$)|^[a-z]:/i.test(name)) {
    throw broken(
      file,
      `the entry ${show(name)} would be written outside its folder`,
      'do not trust this file: download it from its original source',
    )
  }
  return name
}

/** The end that each entry's data must keep to: where the next entry, or the directory, begins. */
function checkOverlap(file: string, entries: readonly Entry[], directoryOffset: number): Map<Entry, number> {
  const ends = new Map<Entry, number>()
  const inOrder = [...entries].sort((a, b) => a.headerOffset - b.headerOffset)
  for (const [i, entry] of inOrder.entries()) {
    const end = inOrder[i + 1]?.headerOffset ?? directoryOffset
    if (entry.headerOffset + LOCAL_BYTES + entry.storedSize > end) {
      throw broken(file, `the entry ${show(entry.name)} overlaps what follows it, or is outside the file`)
    }
    ends.set(entry, end)
  }
  return ends
}

/** Where the data of an entry begin: behind its local header, which must name the same entry. */
async function dataOffset(source: ByteSource, { name, headerOffset }: Entry): Promise<number> {
  const encoded = new TextEncoder().encode(name)
  const bytes = await exactly(source, headerOffset, LOCAL_BYTES + encoded.length)
  const header = view(bytes)
  const same = encoded.every((byte, i) => byte === bytes[LOCAL_BYTES + i])
  if (header.getUint32(0, true) !== LOCAL || header.getUint16(26, true) !== encoded.length || !same) {
    throw broken(source.name, `the header of the entry ${show(name)} is damaged`)
  }
  return headerOffset + LOCAL_BYTES + encoded.length + header.getUint16(28, true)
}

function large(file: string, data: DataView, at: number): number {
  const value = data.getBigUint64(at, true)
  if (value > Number.MAX_SAFE_INTEGER) throw broken(file, `its zip directory states a size of ${value}`)
  return Number(value)
}

async function exactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  if (offset + length > source.size) throw broken(source.name, `it ends before byte ${offset + length} (truncated?)`)
  const bytes = await source.read(offset, length)
  if (bytes.byteLength !== length) {
    throw broken(source.name, `read ${bytes.byteLength} bytes at ${offset} instead of ${length} (truncated?)`)
  }
  return bytes
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Names come from the file and may be long. */
function show(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name)
}
