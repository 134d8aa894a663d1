import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { breathing, mapBreathing } from '../base/breathe.ts'
import type { FeatureCache } from '../data/features.ts'
import { hashOf } from './content-hash.ts'
import { fileSource, ifThere, LEFTOVER_AGE_MS, removeLeftovers, writeFileAtomic } from './files.ts'

/** Part of the folder's name: raise it when the same key and picture would give other features. */
const CACHE_VERSION = 2

/**
 * The features of one encoder in a cache folder, which need not exist yet. Every `append` leaves one new file, which
 * appears whole or not at all and never changes: processes may share the folder without locks, a killed one loses what
 * it had not appended, and damaged files or rows count as absent.
 *
 * @param encoderKey says which model and preprocessing it is: same key, same features
 * @param dim values of a row
 */
export function openFeatureCache(cacheDir: string, encoderKey: string, dim: number): FeatureCache {
  const folder = join(cacheDir, 'features', hashOf(`version ${CACHE_VERSION}\n${encoderKey}`).slice(0, 32))
  return {
    async read(ids) {
      await removeLeftovers(folder, LEFTOVER_AGE_MS)
      const found = new Map<string, Float32Array>()
      for (const file of (await ifThere(folder, readdir(folder))) ?? []) {
        if (found.size === ids.size) break
        if (file.endsWith(EXTENSION)) await readRows(join(folder, file), dim, ids, found)
      }
      return found
    },
    async append(rows) {
      if (rows.size === 0) return
      await writeFileAtomic(join(folder, `${randomUUID()}${EXTENSION}`), encodeRows(rows, dim), { sync: false })
    },
  }
}

// A file: magic (8 bytes), rows (uint32), dim (uint32); for every row its id (32 bytes) and the CRC-32 of id and values;
// then the rows' values (float32). Little-endian.
const EXTENSION = '.features'
const MAGIC = Buffer.from('coopfea1')
const HEADER_BYTES = 16
const ID_BYTES = 32
const ENTRY_BYTES = ID_BYTES + 4

function encodeRows(rows: ReadonlyMap<string, Float32Array>, dim: number): Buffer {
  const valuesStart = HEADER_BYTES + rows.size * ENTRY_BYTES
  const file = Buffer.alloc(valuesStart + rows.size * dim * 4)
  MAGIC.copy(file)
  file.writeUInt32LE(rows.size, 8)
  file.writeUInt32LE(dim, 12)
  let entry = HEADER_BYTES
  let start = valuesStart
  for (const [id, values] of rows) {
    const bytes = file.subarray(start, start + dim * 4)
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    file.write(id, entry, 'hex')
    file.writeUInt32LE(checksumOf(file.subarray(entry, entry + ID_BYTES), bytes), entry + ID_BYTES)
    entry += ENTRY_BYTES
    start += dim * 4
  }
  return file
}

/** Adds the undamaged wanted rows of a file to `found`; a file that is not whole or not ours adds nothing. */
async function readRows(
  path: string,
  dim: number,
  wanted: ReadonlySet<string>,
  found: Map<string, Float32Array>,
): Promise<void> {
  // Another process may clear the cache meanwhile: what is gone is absent.
  const source = await ifThere(path, fileSource(path))
  if (!source) return
  const read = async (offset: number, length: number) => {
    const bytes = (await ifThere(path, source.read(offset, length))) ?? new Uint8Array()
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  const header = await read(0, HEADER_BYTES)
  if (header.length < HEADER_BYTES || !header.subarray(0, 8).equals(MAGIC) || header.readUInt32LE(12) !== dim) return
  const count = header.readUInt32LE(8)
  const indexBytes = count * ENTRY_BYTES
  const valuesStart = HEADER_BYTES + indexBytes
  if (source.size !== valuesStart + count * dim * 4) return
  const index = await read(HEADER_BYTES, indexBytes)
  if (index.length < indexBytes) return

  const entries: { readonly row: number; readonly id: string; readonly checksum: number }[] = []
  await breathing(count, (row) => {
    const start = row * ENTRY_BYTES
    const id = index.toString('hex', start, start + ID_BYTES)
    if (wanted.has(id) && !found.has(id)) entries.push({ row, id, checksum: index.readUInt32LE(start + ID_BYTES) })
  })
  if (entries.length === 0) return
  const values = await read(valuesStart, count * dim * 4)
  await mapBreathing(entries, ({ row, id, checksum }) => {
    const bytes = values.subarray(row * dim * 4, (row + 1) * dim * 4)
    if (bytes.length === dim * 4 && checksumOf(Buffer.from(id, 'hex'), bytes) === checksum)
      found.set(id, floatsOf(bytes))
  })
}

function checksumOf(id: Uint8Array, values: Uint8Array): number {
  return crc32(values, crc32(id))
}

/** A copy: the file's other rows are not kept with it. */
const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(new Uint8Array(bytes).buffer)
