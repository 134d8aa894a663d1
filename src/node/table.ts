import { extname, resolve } from 'node:path'
import type { SchemaElement } from 'hyparquet'
import { breathe, breathing } from '../base/breathe.ts'
import { UsageError } from '../base/errors.ts'
import { distinctNames } from '../data/class-names.ts'
import { csvField } from '../data/csv.ts'
import type { FloatType } from '../formats/half.ts'
import { writeNpy } from '../formats/npy.ts'
import { writeSafetensors } from '../formats/safetensors.ts'
import { dims, type FloatTensor, type IntTensor, intTensor } from '../graph/tensor.ts'
import { checkWritableFile, writeFileAtomic } from './files.ts'

/** A table for other programs: columns of one length. */
export interface Table {
  readonly rows: number
  readonly columns: readonly Column[]
  /** What is true of the whole table, plain JSON; formats with room for it keep it. */
  readonly about?: Readonly<Record<string, unknown>>
  /** Type of the values of matrices, in formats that have a choice; default: float32. */
  readonly dtype?: FloatType
}

/** One column, or several side by side; `many` is its name where it is written as a whole. */
export type Column = { readonly name: string; readonly many?: string } & (
  | { readonly kind: 'text'; readonly values: readonly string[] }
  | { readonly kind: 'number'; readonly values: readonly number[] }
  /** Indices into `classNames`; -1: none. */
  | { readonly kind: 'class'; readonly values: readonly number[]; readonly classNames: readonly string[] }
  /** `(rows, d)`; with `classNames` a column for each class. */
  | { readonly kind: 'matrix'; readonly values: FloatTensor; readonly classNames?: readonly string[] }
)

type Bytes = Uint8Array<ArrayBuffer>

/** By the ending of a file's name: its bytes. */
const WRITERS: Readonly<Record<string, (table: Table) => Bytes | Promise<Bytes>>> = {
  '.csv': csvBytes,
  '.jsonl': jsonBytes,
  '.parquet': parquetBytes,
  '.npy': npyBytes,
  '.safetensors': tensorBytes,
}

/** Endings of the files that a table may become. */
export const TABLE_ENDINGS: readonly string[] = Object.keys(WRITERS)

const NPY = '.npy'
const WITH_FLOAT16: readonly string[] = [NPY, '.safetensors']
/** The list beside an npy file, which has no room for names. */
export const besideNpy = (file: string): string => `${file.slice(0, -NPY.length)}.labels.csv`

const endingOf = (file: string): string => extname(file).toLowerCase()

/**
 * Throws, before any work, where no table can be written there: UsageError for another ending or one of the files that are
 * `read`, or for float16 where it has none of it, FileError where the folder cannot be written to.
 */
export async function checkTableFile(file: string, read: readonly string[] = [], dtype?: FloatType): Promise<void> {
  if (!TABLE_ENDINGS.includes(endingOf(file))) {
    throw new UsageError(
      `${file} is not the name of a table`,
      `its ending says the format: ${TABLE_ENDINGS.join(', ')}`,
    )
  }
  if (dtype === 'float16' && !WITH_FLOAT16.includes(endingOf(file))) {
    throw new UsageError(`${file} cannot have values in float16`, `these can: ${WITH_FLOAT16.join(', ')}`)
  }
  if (read.some((other) => resolve(other) === resolve(file))) {
    throw new UsageError(`${file} is what is read: it is not overwritten`, 'give the file another name')
  }
  await checkWritableFile(file)
}

/**
 * Writes a table, whole or not at all, in the format that the ending of the file says. CSV has a column for each value
 * (`feature_0`, `probability cat`), JSON lines an object a row with lists or, by class, objects; parquet a list a row, or by class a
 * column. An npy file is the first matrix alone, and beside it `NAME.labels.csv` has the columns that are no matrices. In safetensors
 * matrices are tensors, classes indices into `classNames` of the metadata, and texts lists there, all as JSON.
 *
 * @returns the files that were written
 */
export async function writeTable(file: string, table: Table): Promise<string[]> {
  const write = WRITERS[endingOf(file)]
  if (write === undefined) throw new UsageError(`${file} is not the name of a table`, TABLE_ENDINGS.join(', '))
  const files: [string, Bytes][] = [[file, await write(table)]]
  if (endingOf(file) === NPY) {
    const plain = table.columns.filter(({ kind }) => kind !== 'matrix')
    files.push([besideNpy(file), await csvBytes({ ...table, columns: plain })])
  }
  for (const [path, bytes] of files) await writeFileAtomic(path, bytes)
  return files.map(([path]) => path)
}

type Cell = string | number | undefined

/** A column of single values: the name of a class, one column of a matrix. */
interface Plain {
  readonly title: string
  readonly type: 'STRING' | 'DOUBLE' | 'FLOAT'
  cell(row: number): Cell
}

/** Float32 in nine digits, which are enough to be read as the very same number. */
const digits = (value: number): number => Number(value.toPrecision(9))

function plainColumns(columns: readonly Column[]): Plain[] {
  return columns.flatMap((column): Plain[] => {
    const { name } = column
    if (column.kind === 'text') return [{ title: name, type: 'STRING', cell: (i) => column.values[i] }]
    if (column.kind === 'number') return [{ title: name, type: 'DOUBLE', cell: (i) => column.values[i] }]
    const names = distinctNames(column.classNames ?? [])
    if (column.kind === 'class') return [{ title: name, type: 'STRING', cell: (i) => names[column.values[i] ?? -1] }]
    const { data } = column.values
    const [, d] = dims(column.values, 2)
    return Array.from({ length: d }, (_, j) => ({
      title: column.classNames ? `${name} ${names[j] ?? j}` : `${name}_${j}`,
      type: 'FLOAT',
      cell: (i) => digits(data[i * d + j] ?? 0),
    }))
  })
}

function csvBytes({ rows, columns }: Table): Promise<Bytes> {
  const plain = plainColumns(columns)
  const head = plain.map(({ title }) => csvField(title)).join()
  return linesOf(rows, (i) => plain.map(({ cell }) => csvField(cell(i))).join(), head)
}

function jsonBytes({ columns, rows }: Table): Promise<Bytes> {
  const values = columns.map((column): [string, (row: number) => unknown] => {
    const { name, many = name } = column
    const names = 'classNames' in column ? distinctNames(column.classNames ?? []) : []
    if (column.kind === 'class') return [name, (i) => names[column.values[i] ?? -1]]
    if (column.kind !== 'matrix') return [name, (i) => column.values[i]]
    const { data } = column.values
    const [, d] = dims(column.values, 2)
    const row = (i: number) => Array.from(data.subarray(i * d, (i + 1) * d), digits)
    if (!column.classNames) return [many, row]
    return [many, (i) => Object.fromEntries(row(i).map((value, j) => [names[j] ?? j, value]))]
  })
  return linesOf(rows, (i) => JSON.stringify(Object.fromEntries(values.map(([name, of]) => [name, of(i)]))))
}

/** Lines as UTF-8. */
async function linesOf(rows: number, line: (row: number) => string, head?: string): Promise<Bytes> {
  const encoder = new TextEncoder()
  const parts = head === undefined ? [] : [encoder.encode(`${head}\n`)]
  await breathing(rows, (i) => parts.push(encoder.encode(`${line(i)}\n`)))
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Lists of a parquet file, as Arrow and Hugging Face's datasets read them. */
const listSchema = (name: string): SchemaElement[] => [
  { name, converted_type: 'LIST', logical_type: { type: 'LIST' }, repetition_type: 'REQUIRED', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
]

/** Rows that are encoded at a time, a row group each. */
const GROUP = 1000

async function parquetBytes({ columns, rows, about = {} }: Table): Promise<Bytes> {
  const { ByteWriter, ParquetWriter, schemaFromColumnData } = await import('hyparquet-writer')
  const isList = (column: Column) => column.kind === 'matrix' && column.classNames === undefined
  const plain = plainColumns(columns.filter((column) => !isList(column)))
  const lists = columns.flatMap((column) => {
    if (column.kind !== 'matrix' || column.classNames !== undefined) return []
    const { data } = column.values
    const [, d] = dims(column.values, 2)
    return [{ name: column.many ?? column.name, row: (i: number) => Array.from(data.subarray(i * d, (i + 1) * d)) }]
  })
  const empty = plain.map(({ title, type }) => ({ name: title, type, data: [] }))
  const [root = { name: 'root' }, ...simple] = schemaFromColumnData({ columnData: empty })
  const schema = [
    { ...root, num_children: plain.length + lists.length },
    ...simple,
    ...lists.flatMap(({ name }) => listSchema(name)),
  ]
  const kvMetadata = textsOf(about).map(([key, value]) => ({ key, value }))
  const bytes = new ByteWriter()
  const writer = new ParquetWriter({ writer: bytes, schema, kvMetadata })
  for (let first = 0; first < rows; first += GROUP) {
    const some = Array.from({ length: Math.min(GROUP, rows - first) }, (_, i) => first + i)
    const columnData = [
      ...plain.map(({ title, cell }) => ({ name: title, data: some.map((i) => cell(i) ?? null) })),
      ...lists.map(({ name, row }) => ({ name, data: some.map(row), encoding: 'PLAIN' as const })),
    ]
    await writer.write({ columnData, rowGroupSize: GROUP })
    await breathe()
  }
  await writer.finish()
  return new Uint8Array(bytes.getBuffer())
}

function npyBytes({ columns, dtype }: Table): Bytes {
  const matrix = columns.find((column) => column.kind === 'matrix')
  if (matrix === undefined) throw new Error('the table has no matrix')
  return writeNpy(matrix.values, dtype)
}

function tensorBytes({ columns, about = {}, dtype }: Table): Bytes {
  const tensors = new Map<string, FloatTensor | IntTensor>()
  const metadata: Record<string, unknown> = { ...about }
  for (const column of columns) {
    const { name, many = name } = column
    if ('classNames' in column && column.classNames) metadata.classNames = column.classNames
    if (column.kind === 'text') metadata[many] = column.values
    else if (column.kind === 'matrix') tensors.set(many, column.values)
    else if (column.kind === 'class') tensors.set(many, intTensor([column.values.length], [...column.values]))
    else tensors.set(many, { dtype: 'float32', shape: [column.values.length], data: Float32Array.from(column.values) })
  }
  return writeSafetensors(tensors, Object.fromEntries(textsOf(metadata)), { dtype })
}

/** Plain JSON as the texts that metadata can hold. */
const textsOf = (about: Readonly<Record<string, unknown>>): [string, string][] =>
  Object.entries(about).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, typeof value === 'string' ? value : JSON.stringify(value)]],
  )
