import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { countOf } from '../../base/count.ts'
import { FileError } from '../../base/errors.ts'
import { fileSource } from '../../node/files.ts'

/** An open parquet file. */
export interface ParquetFile {
  readonly path: string
  readonly size: number
  readonly columns: readonly ParquetColumn[]
  readonly metadata: FileMetaData
  /** What its writer kept beside the data, such as Hugging Face's description of the columns. */
  readonly notes: ReadonlyMap<string, string>
  readonly buffer: AsyncBuffer
}

export interface ParquetColumn {
  readonly name: string
  readonly kind: 'bytes' | 'image' | 'text' | 'number' | 'other'
}

/** A row group is held in memory whole; one that unpacks to more than this is refused. */
const MAX_GROUP_BYTES = 2 ** 31
const MAX_GROUP_ROWS = 10_000_000
/** A file that says it unpacks to this many times its size is none of pictures. */
const MAX_RATIO = 1000
const MAX_UNQUESTIONED_BYTES = 2 ** 28

/** Opens a parquet file by its end, where its description is. Throws FileError when it is none, or is damaged. */
export async function openParquet(path: string): Promise<ParquetFile> {
  const { size, read } = await fileSource(path)
  const buffer: AsyncBuffer = {
    byteLength: size,
    async slice(start, end = size) {
      if (!(start >= 0 && start <= end && end <= size)) throw new Error(`bytes ${start} to ${end} are outside the file`)
      const bytes = await read(start, end - start)
      if (bytes.length < end - start) throw new Error('the file ends too early')
      return bytes.slice().buffer
    },
  }
  return orFileError(path, async () => {
    if (size < 12) throw new Error(`it has ${size} bytes`)
    const metadata = await parquetMetadataAsync(buffer, { geoparquet: false })
    const columns = parquetSchema(metadata).children.map(({ element, children }): ParquetColumn => {
      const parts = children.map((child) => child.element.name)
      if (children.length > 0) return { name: element.name, kind: parts.includes('bytes') ? 'image' : 'other' }
      return { name: element.name, kind: kindOf(element) }
    })
    const notes = (metadata.key_value_metadata ?? []).map(({ key, value = '' }) => [key, value] as const)
    return { path, size, columns, metadata, notes: new Map(notes), buffer }
  })
}

type Element = ReturnType<typeof parquetSchema>['element']

function kindOf({ type, converted_type: converted, logical_type: logical }: Element): ParquetColumn['kind'] {
  if (type === 'BYTE_ARRAY') return converted === 'UTF8' || logical?.type === 'STRING' ? 'text' : 'bytes'
  return type === 'INT32' || type === 'INT64' || type === 'BOOLEAN' ? 'number' : 'other'
}

/** Bytes of the named columns when unpacked, as the file itself says. */
export function unpackedSize({ metadata }: ParquetFile, columns: readonly string[]): number {
  return metadata.row_groups.reduce((sum, group) => sum + groupSize(group, columns), 0)
}

type RowGroup = FileMetaData['row_groups'][number]

function groupSize({ columns }: RowGroup, wanted: readonly string[]): number {
  return columns
    .filter(({ meta_data }) => wanted.includes(meta_data?.path_in_schema[0] ?? ''))
    .reduce((sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0), 0)
}

export type ParquetRow = Readonly<Record<string, unknown>>

/**
 * The rows of a file, one row group in memory at a time. Throws FileError for a damaged file, and for one that unpacks
 * to more than it says or than is sound.
 */
export async function* rowGroups(file: ParquetFile, columns: readonly string[]): AsyncGenerator<ParquetRow[]> {
  checkSizes(file, columns)
  let start = 0
  for (const group of file.metadata.row_groups) {
    const rowEnd = start + Number(group.num_rows)
    let left = groupSize(group, columns)
    const bounded = Object.entries(compressors).map(([codec, decompress]) => [
      codec,
      (input: Uint8Array, length: number) => {
        left -= length
        if (left < 0 || length < 0) throw new Error('it unpacks to more than it states')
        return decompress(input, length)
      },
    ])
    yield await orFileError(file.path, async () => {
      const rows: ParquetRow[] = await parquetReadObjects({
        file: file.buffer,
        metadata: file.metadata,
        columns: [...columns],
        rowStart: start,
        rowEnd,
        compressors: Object.fromEntries(bounded),
        utf8: false, // else bytes that are no text are taken for it
      })
      if (rows.length !== rowEnd - start)
        throw new Error(`${countOf(rows.length, 'row')} where it states ${rowEnd - start}`)
      return rows
    })
    start = rowEnd
  }
}

function checkSizes(file: ParquetFile, columns: readonly string[]): void {
  const refuse = (why: string) => {
    throw new FileError(
      `${file.path} is refused: ${why}`,
      'write it again with smaller row groups, or check where it came from',
    )
  }
  for (const group of file.metadata.row_groups) {
    const bytes = groupSize(group, columns)
    if (!(bytes >= 0 && bytes <= MAX_GROUP_BYTES)) refuse(`a row group unpacks to ${bytes} bytes; the limit is 2 GB`)
    if (!(group.num_rows >= 0 && group.num_rows <= MAX_GROUP_ROWS))
      refuse(`a row group has ${countOf(Number(group.num_rows), 'row')}`)
  }
  const bytes = unpackedSize(file, columns)
  if (bytes > MAX_UNQUESTIONED_BYTES && bytes > MAX_RATIO * file.size) {
    refuse(`it unpacks to ${bytes} bytes, ${Math.round(bytes / file.size)} times its size`)
  }
}

async function orFileError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof FileError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new FileError(`${path} cannot be read as parquet: ${why}`, 'download or write the file again', { cause })
  }
}
