import { readdir, realpath, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import { mapLimited } from '../../base/overlap.ts'
import { hashOf } from '../../node/content-hash.ts'
import { ifThere, LEFTOVER_AGE_MS, readText, removeLeftovers, writeFileAtomic } from '../../node/files.ts'
import { type ImageColumns, jsonOrNothing } from './columns.ts'
import type { ParquetRow } from './decoder.ts'
import { type ParquetFile, rowGroups, unpackedSize } from './file.ts'

/** A row whose image is now a separate file. */
export interface UnpackedRow {
  /** Counted from 1. */
  readonly row: number
  readonly path: string
  /** SHA-256 of the image's bytes. */
  readonly hash: string
  /** null where the row has none. */
  readonly label: string | number | null
}

const MAX_IMAGE_BYTES = 2 ** 28

/** Raise it when the same file would be unpacked another way. */
const VERSION = 1
export const INDEX = 'rows.json'

type OnRows = (more: number, when: 'now' | 'before') => void

/** Row, file, hash, label. */
const indexSchema = z.array(
  z.tuple([z.int().min(1), z.string().regex(/^[\w.]+$/), z.hex(), z.union([z.string(), z.number(), z.null()])]),
)
type Index = z.output<typeof indexSchema>

/**
 * Writes the images of a file into a folder below `cache`, once: files are called by their row, never by the path that
 * the row gives them, and the list of rows is written last. Equal images are written once. Killed on the way, it begins
 * again and keeps what is there.
 *
 * @param onRows called with how many more rows are unpacked, or already were
 * @throws FileError for a damaged file, a row without image, and where the disk has too little room
 */
export async function unpackImages(
  file: ParquetFile,
  columns: ImageColumns,
  cache: string,
  onRows: OnRows,
): Promise<UnpackedRow[]> {
  const folder = join(cache, 'unpacked', await folderName(file, columns))
  const kept = await readIndex(folder)
  const index = kept ?? (await unpackAll(file, columns, folder, onRows))
  if (kept) onRows(kept.length, 'before')
  return index.map(([row, name, hash, label]) => ({ row, path: join(folder, name), hash, label }))
}

/** The name of the file, so that people find their way, and all that decides what is unpacked. */
async function folderName({ path, size, metadata }: ParquetFile, { image, label }: ImageColumns): Promise<string> {
  const real = await realpath(path)
  const { mtimeMs } = await stat(real)
  const about = JSON.stringify(metadata, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  const key = hashOf(JSON.stringify([VERSION, real, size, mtimeMs, about, image, label])).slice(0, 16)
  return `${basename(path)
    .replace(/[^\w.-]/g, '_')
    .slice(0, 80)}-${key}`
}

/** The list of rows, if it is there and so are all its images. */
export async function readIndex(folder: string): Promise<Index | undefined> {
  const names = new Set(await ifThere(folder, readdir(folder)))
  if (!names.has(INDEX)) return undefined
  const index = indexSchema.safeParse(jsonOrNothing(await readText(join(folder, INDEX))))
  return index.success && index.data.every(([, name]) => names.has(name)) ? index.data : undefined
}

async function unpackAll(file: ParquetFile, columns: ImageColumns, folder: string, onRows: OnRows): Promise<Index> {
  const { image, label } = columns
  await checkRoom(folder, unpackedSize(file, [image]))
  await removeLeftovers(folder, LEFTOVER_AGE_MS)
  const names = new Map<string, string>()
  const index: Index = []
  for await (const rows of rowGroups(file, [image, label])) {
    const pictures = rows.map((row, i) => pictureOf(row, columns, `${file.path}, row ${index.length + i + 1}`))
    const fresh: { name: string; bytes: Uint8Array }[] = []
    for (const { bytes, label } of pictures) {
      const row = index.length + 1
      const hash = hashOf(bytes)
      const name = names.get(hash) ?? `${String(row).padStart(7, '0')}.${extensionOf(bytes)}`
      if (!names.has(hash)) fresh.push({ name, bytes })
      names.set(hash, name)
      index.push([row, name, hash, label])
    }
    await mapLimited(fresh, 8, ({ name, bytes }) => writeFileAtomic(join(folder, name), bytes, { sync: false }))
    onRows(rows.length, 'now')
  }
  await writeFileAtomic(join(folder, INDEX), JSON.stringify(index), { sync: false })
  return index
}

function pictureOf(row: ParquetRow, { image, label }: ImageColumns, where: string) {
  const bytes = bytesOf(row[image])
  if (bytes === undefined || bytes.length === 0) {
    throw new FileError(`${where}: the column "${image}" contains no image`, 'store the images in the file itself')
  }
  if (bytes.length > MAX_IMAGE_BYTES) throw new FileError(`${where}: the image has ${bytes.length} bytes`, 'remove it')
  return { bytes, label: labelOf(row[label], where) }
}

/** Bytes as they are, or in Hugging Face's `{ bytes, path }`; the path is ignored. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value
  return typeof value === 'object' && value !== null && 'bytes' in value ? bytesOf(value.bytes) : undefined
}

function labelOf(value: unknown, where: string): string | number | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string') return value.trim()
  if (typeof value === 'boolean' || typeof value === 'bigint') return Number(value)
  if (typeof value === 'number') return value
  throw new FileError(`${where}: the label is neither a number nor text`, 'give another labelColumn (--label-column)')
}

/** First bytes of image files. The name's ending is for people only. */
const MAGIC: readonly (readonly [string, RegExp])[] = [
  ['jpg', /^\xff\xd8\xff/],
  ['png', /^\x89PNG/],
  ['gif', /^GIF8/],
  ['webp', /^RIFF....WEBP/s],
  ['avif', /^....ftypavif/s],
  ['tif', /^(II\*\0|MM\0\*)/],
]

function extensionOf(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.subarray(0, 12)).toString('latin1')
  return MAGIC.find(([, magic]) => magic.test(start))?.[0] ?? 'image'
}

/** Throws FileError where the disk has less room than the images take. */
async function checkRoom(folder: string, bytes: number): Promise<void> {
  const room = await freeBytes(folder)
  if (room === undefined || room > bytes) return
  throw new FileError(
    `${folder}: the images take ${gigabytes(bytes)} but the disk has only ${gigabytes(room)} left`,
    'free some space, or give a folder on another disk as cache (--cache)',
  )
}

async function freeBytes(folder: string): Promise<number | undefined> {
  const found = await statfs(folder).catch(() => undefined)
  if (found) return found.bavail * found.bsize
  return folder === dirname(folder) ? undefined : freeBytes(dirname(folder))
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
