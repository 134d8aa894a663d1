import type { FileMetaData } from 'hyparquet'
import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import type { ByteSource } from '../../formats/safetensors.ts'
import { fileSource } from '../../node/files.ts'
import { type Asked, decode, type ParquetRow } from './decoder.ts'

/** An open parquet file. */
export interface ParquetFile {
  readonly path: string
  readonly size: number
  readonly columns: readonly ParquetColumn[]
  readonly metadata: FileMetaData
  /** What its writer kept beside the data, such as Hugging Face's description of the columns. */
  readonly notes: ReadonlyMap<string, string>
  readonly source: ByteSource
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

/** What a damaged description leaves out of what is read of it here; the reader of parquet files does not look. */
const descriptionSchema = z.object({
  names: z.array(z.string()),
  row_groups: z.array(
    z.object({
      num_rows: z.union([z.bigint(), z.number()]),
      columns: z.array(z.object({ meta_data: z.object({ path_in_schema: z.array(z.string()) }).optional() })),
    }),
  ),
  key_value_metadata: z.array(z.object({ key: z.string(), value: z.string().optional() })).optional(),
})

/** Opens a parquet file by its end, where its description is. Throws FileError when it is none, or is damaged. */
export async function openParquet(path: string): Promise<ParquetFile> {
  const source = await fileSource(path)
  const { size } = source
  return orFileError(path, async () => {
    if (size < 12) throw new Error(`it has ${size} bytes`)
    const { metadata, columns } = await decode(source, { kind: 'open', size })
    const described = descriptionSchema.safeParse({ names: columns.map(({ element }) => element.name), ...metadata })
    if (!described.success) throw new Error('its description is damaged')
    const notes = (metadata.key_value_metadata ?? []).map(({ key, value = '' }) => [key, value] as const)
    return { path, size, columns: columns.map(columnOf), metadata, notes: new Map(notes), source }
  })
}

function columnOf({ element, parts }: Asked['open']['columns'][number]): ParquetColumn {
  if (parts.length > 0) return { name: element.name, kind: parts.includes('bytes') ? 'image' : 'other' }
  return { name: element.name, kind: kindOf(element) }
}

type Element = Asked['open']['columns'][number]['element']

function kindOf({ type, converted_type: converted, logical_type: logical }: Element): ParquetColumn['kind'] {
  if (type === 'BYTE_ARRAY') return converted === 'UTF8' || logical?.type === 'STRING' ? 'text' : 'bytes'
  return type === 'INT32' || type === 'INT64' || type === 'BOOLEAN' ? 'number' : 'other'
}

/** Bytes of the named columns when unpacked, as the file itself says. */
export function unpackedSize({ metadata }: ParquetFile, columns: readonly string[]): number {
  return metadata.row_groups.reduce((sum, group) => sum + groupSize(group, columns), 0)
}

type RowGroup = FileMetaData['row_groups'][number]

function groupSize(group: RowGroup, wanted: readonly string[]): number {
  return columnsOf(group, wanted).reduce(
    (sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0),
    0,
  )
}

const columnsOf = ({ columns }: RowGroup, wanted: readonly string[]) =>
  columns.filter(({ meta_data }) => wanted.includes(meta_data?.path_in_schema[0] ?? ''))

/**
 * The rows of a file, one row group in memory at a time. Throws FileError for a damaged file, and for one that unpacks
 * to more than it says or than is sound.
 */
export async function* rowGroups(file: ParquetFile, columns: readonly string[]): AsyncGenerator<ParquetRow[]> {
  checkSizes(file, columns)
  const { path, size, source, metadata } = file
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows)
    yield await orFileError(path, async () => {
      const few = columnsOf(group, columns).find(({ meta_data }) => Number(meta_data?.num_values ?? rows) < rows)
      if (few !== undefined) throw new Error(`${few.meta_data?.num_values} values where it states ${rows} rows`)
      const only = { ...metadata, row_groups: [group], num_rows: group.num_rows }
      const limit = groupSize(group, columns)
      const found = await decode(source, { kind: 'rows', size, metadata: only, columns, rows, limit })
      if (found.length !== rows) throw new Error(`${found.length} rows where it states ${rows}`)
      return found
    })
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
    if (!(group.num_rows >= 0 && group.num_rows <= MAX_GROUP_ROWS)) refuse(`a row group has ${group.num_rows} rows`)
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
