import { basename, dirname, extname } from 'node:path'
import { z } from 'zod'
import { breathing, mapBreathing } from '../base/breathe.ts'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { PRECISIONS } from '../clip/precision.ts'
import { parseCsv } from '../data/csv.ts'
import type { Dataset, FeaturesAbout, Item } from '../data/items.ts'
import { datasetOfRows } from '../data/rows.ts'
import { parseJson } from '../formats/json.ts'
import { readNpyMatrix } from '../formats/npy.ts'
import { openSafetensors, type SafetensorsFile } from '../formats/safetensors.ts'
import { readSchema } from '../formats/schema.ts'
import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { fileSource, readBytes } from '../node/files.ts'
import { exists } from '../node/run-folder.ts'
import { besideNpy } from '../node/table.ts'
import { EXIF_WAYS } from '../pictures/picture.ts'
import { TRANSFORMS_NAMES } from '../pictures/transforms.ts'
import { decodeText, readList } from './list-file.ts'
import { LABEL_COLUMNS, type ListOptions, NAME_COLUMNS, namedRows, SPLIT_COLUMN, splitOf } from './lists.ts'
import { openParquet, rowGroups } from './parquet/file.ts'

/** What a file of features has of each image. */
interface Rows {
  /** `(n, d)` */
  readonly features: FloatTensor
  /** Texts of each image by the names of their columns; an empty one counts as absent. */
  readonly texts: ReadonlyMap<string, readonly (string | undefined)[]>
  /** Names of labels that are numbers from 0. */
  readonly classNames?: readonly string[]
  /** What messages call an image. */
  where(row: number): string
  readonly about: Omit<FeaturesAbout, 'file'>
}

type Read = (file: string) => Promise<Rows>

const READERS: Readonly<Record<string, Read>> = {
  '.safetensors': ofSafetensors,
  '.npy': ofNpy,
  '.csv': (file) => ofDelimited(file, ','),
  '.tsv': (file) => ofDelimited(file, '\t'),
  '.jsonl': ofJsonLines,
  '.ndjson': ofJsonLines,
  '.parquet': ofParquet,
}

/** Names of a column or tensor that has all features of an image. */
const FEATURES = ['features', 'feature', 'image_features', 'embeddings', 'embedding']
/** Columns that have one value of the features each, counted by the number at their end: feature_0, feature_1... */
const FEATURE = /^(?:feature|features|embedding|embeddings)_?(\d+)$/
const FILE_COLUMNS = ['file', 'path', 'image', 'file_name', 'filename']
const LABEL_TENSORS = ['labels', 'label', 'targets']

const HOW = 'docs/data.md says what a file of features has'
const fault = (what: string, remedy = HOW) => new FileError(what, remedy)

/** Whether a file has features in place of pictures: by its name, or by its columns where lists of pictures are called so, too. */
export async function hasFeatures(file: string): Promise<boolean> {
  const ending = extname(file).toLowerCase()
  if (READERS[ending] === undefined) return false
  if (ending === '.parquet') {
    const { columns } = await openParquet(file)
    if (columns.some(({ kind }) => kind === 'image' || kind === 'bytes')) return false
    const names = columns.flatMap(({ name, kind }) => (kind === 'other' ? [name.toLowerCase()] : []))
    return names.some((name) => FEATURES.includes(name) || FEATURE.test(name))
  }
  if (ending === '.npy' || ending === '.safetensors') return true
  const source = await fileSource(file)
  const [first = ''] = new TextDecoder().decode(await source.read(0, Math.min(source.size, HEAD))).split(/[\r\n]/)
  if (ending === '.csv' || ending === '.tsv') return columnsOf(first.split(/[,\t]/)).some((name) => FEATURE.test(name))
  return FEATURES.some((name) => new RegExp(`"${name}"\\s*:\\s*\\[`).test(first))
}

/** Bytes in which the first line of a file of features says that it is one. */
const HEAD = 2 ** 20

const columnsOf = (fields: readonly string[]): string[] =>
  fields.map((field) =>
    field
      .replace(/^\uFEFF/, '')
      .replaceAll('"', '')
      .trim()
      .toLowerCase(),
  )

/**
 * A data set of features that somebody computed, in place of pictures: an `(n, d)` array with labels, and perhaps names of classes and
 * the part of each image. Classes, parts and their order are as for lists of pictures.
 *
 * @throws FileError with file and row for features that are not finite or of several widths, and for images without label
 */
export async function readFeatures(file: string, options: ListOptions = {}, hooks: Hooks = {}): Promise<Dataset> {
  const read = READERS[extname(file).toLowerCase()]
  if (read === undefined) throw fault(`${file} is not a file of features`)
  const { features, texts, classNames, where, about } = await read(file)
  const [n, d] = dims(features, 2)
  if (n === 0 || d === 0) throw fault(`${file} has no features: its array is (${n}, ${d})`)
  await checkFinite(features, where)
  const column = (names: readonly string[]) => names.find((name) => texts.has(name))
  const text = (name: string | undefined, row: number) => (name === undefined ? undefined : texts.get(name)?.[row])
  const labelColumn = options.labelColumn?.toLowerCase() ?? column([...LABEL_COLUMNS, ...LABEL_TENSORS])
  if (labelColumn === undefined || !texts.has(labelColumn)) {
    throw fault(
      `${file} has features without labels: ${[...texts.keys()].join(', ') || 'nothing'} is all it has beside them`,
    )
  }
  const [nameColumn, fileColumn] = [column(NAME_COLUMNS), column(FILE_COLUMNS)]
  const splitColumn = column([SPLIT_COLUMN, 'splits'])
  const folder = dirname(file)
  const place = (row: number) => `${file}#${row + 1}`
  const listed = await mapBreathing(Array(n).keys(), (row) => {
    const label = text(labelColumn, row)
    if (label === undefined || label === '-1') throw fault(`${where(row)} has no label`, 'complete or remove it')
    const name = text(fileColumn, row) ?? String(row)
    const split = text(splitColumn, row)
    return {
      where: where(row),
      path: place(row),
      identity: text(fileColumn, row) ?? place(row),
      key: name,
      label,
      name: text(nameColumn, row),
      split: split === undefined ? undefined : splitOf(split, where(row)),
    }
  })
  const { rows, ...names } = await namedRows(listed, folder, nameColumn ?? (classNames && 'classNames'))
  const { seed, testShare } = options
  const of = { name: basename(file, extname(file)), root: folder, source: file, seed, testShare }
  const named = classNames === undefined ? names : { ...names, names: classNames, namesFrom: file }
  const dataset = await datasetOfRows(rows, { ...of, ...named }, hooks)
  const from: FeaturesAbout = { file, ...about }
  const rowOf = new Map(Array.from({ length: n }, (_, row) => [place(row), row]))
  const withFeatures = (items: readonly Item[]) =>
    items.map((item): Item => {
      const row = rowOf.get(item.path) ?? 0
      const values = features.data.subarray(row * d, (row + 1) * d)
      return { ...item, name: text(fileColumn, row), given: { values, from } }
    })
  const { train, val, test } = dataset
  return { ...dataset, train: withFeatures(train), val: withFeatures(val), test: withFeatures(test) }
}

async function checkFinite(features: FloatTensor, where: Rows['where']): Promise<void> {
  const [n, d] = dims(features, 2)
  await breathing(n, (row) => {
    const at = features.data.subarray(row * d, (row + 1) * d).findIndex((value) => !Number.isFinite(value))
    if (at === -1) return
    const value = features.data[row * d + at]
    throw fault(
      `${where(row)}: value ${at + 1} of its features is ${value}`,
      'compute its features again, or remove it',
    )
  })
}

/** Rows of numbers, all of one length, as one array. */
class Matrix {
  readonly #rows: Float32Array[] = []
  readonly #where: (row: number) => string

  constructor(where: (row: number) => string) {
    this.#where = where
  }

  add(values: ArrayLike<unknown>): void {
    const row = this.#rows.length
    const [first] = this.#rows
    if (first !== undefined && first.length !== values.length) {
      throw fault(`${this.#where(row)} has ${values.length} features, but ${this.#where(0)} has ${first.length}`)
    }
    this.#rows.push(Float32Array.from(values, (value) => (value === null || value === '' ? Number.NaN : Number(value))))
  }

  tensor(): FloatTensor {
    const d = this.#rows[0]?.length ?? 0
    const all = floatTensor([this.#rows.length, d])
    for (const [i, row] of this.#rows.entries()) all.data.set(row, i * d)
    return all
  }
}

async function ofSafetensors(path: string): Promise<Rows> {
  const file = await openSafetensors(await fileSource(path))
  const tensor = (names: readonly string[]) => names.find((name) => file.entries.has(name))
  const name = tensor(FEATURES)
  if (name === undefined) {
    throw fault(`${path} has no tensor "features"; its tensors are ${[...file.entries.keys()].join(', ') || 'none'}`)
  }
  const features = await file.readFloat(name)
  if (features.shape.length !== 2) {
    throw fault(`${path}: "${name}" has the shape (${features.shape.join(', ')}), and must be (images, values)`)
  }
  const [n] = dims(features, 2)
  const texts = new Map<string, readonly string[]>()
  const labels = tensor(LABEL_TENSORS)
  if (labels !== undefined) texts.set('label', Array.from((await file.readInt(labels)).data, String))
  for (const key of ['files', 'splits']) {
    const list = listOf(file, key)
    if (list !== undefined) texts.set(key === 'files' ? 'file' : 'split', list)
  }
  for (const [key, { length }] of texts) {
    if (length !== n) throw fault(`${path} has features of ${n} images, but ${length} of "${key}"`)
  }
  const classNames = listOf(file, 'classNames') ?? listOf(file, 'class_names')
  return { features, texts, classNames, where: (row) => `${path}, row ${row + 1}`, about: aboutOf(path, file.metadata) }
}

/** A list of texts in the metadata. */
function listOf({ name, metadata }: SafetensorsFile, key: string): string[] | undefined {
  const text = metadata.get(key)
  const what = `${name} (metadata "${key}")`
  return text === undefined ? undefined : readSchema(z.array(z.string()), parseJson(text, what), what)
}

const aboutSchema = z.object({
  model: z.object({ name: z.string(), fingerprint: z.string() }).optional(),
  transforms: z.enum(TRANSFORMS_NAMES).optional(),
  exif: z.enum(EXIF_WAYS).optional(),
  precision: z.enum(PRECISIONS).optional(),
})

/** What our own files say of the model; a file of others says nothing that we understand. */
function aboutOf(path: string, metadata: ReadonlyMap<string, string>): Rows['about'] {
  const model = metadata.get('model')
  if (metadata.get('format') !== FEATURES_FORMAT || model === undefined) return {}
  const what = `${path} (metadata "model")`
  const [transforms, exif, precision] = ['transforms', 'exif', 'precision'].map((key) => metadata.get(key))
  return readSchema(aboutSchema, { model: parseJson(model, what), transforms, exif, precision }, what)
}

/** What our own files call themselves. */
export const FEATURES_FORMAT = 'coop-features-1'

async function ofNpy(path: string): Promise<Rows> {
  const features = readNpyMatrix(path, await readBytes(path))
  const beside = besideNpy(path)
  if (!(await exists(beside))) {
    throw fault(
      `${path} has no labels: they are looked for in ${beside}`,
      'write them there, a row for each: label,split',
    )
  }
  const { columns, rows } = await readList(beside)
  const [n] = dims(features, 2)
  if (rows.length !== n) throw fault(`${path} has features of ${n} images, but ${beside} has ${rows.length} rows`)
  const texts = new Map(columns.map((name) => [name, rows.map(({ values }) => values.get(name))]))
  return { features, texts, where: (row) => rows[row]?.where ?? beside, about: {} }
}

async function ofDelimited(path: string, delimiter: string): Promise<Rows> {
  const records = parseCsv(decodeText(await readBytes(path), path), delimiter, path)
  const header = records.next()
  const columns = columnsOf(header.done ? [] : header.value.fields)
  const numbered = numberedColumns(path, columns)
  const others = columns.flatMap((name, i) => (numbered.includes(i) || name === '' ? [] : [{ name, i }]))
  const texts = new Map(others.map(({ name }) => [name, [] as (string | undefined)[]]))
  const lines: number[] = []
  const where = (row: number) => `${path}:${lines[row]}`
  const matrix = new Matrix(where)
  await mapBreathing(records, ({ line, fields }) => {
    lines.push(line)
    if (fields.length !== columns.length) {
      throw fault(`${path}:${line}: ${fields.length} fields, but the header has ${columns.length}`)
    }
    matrix.add(numbered.map((i) => fields[i]?.trim() ?? ''))
    for (const { name, i } of others) texts.get(name)?.push(fields[i]?.trim() || undefined)
  })
  return { features: matrix.tensor(), texts, where, about: {} }
}

/** Places of the columns that have one value of the features each, in their order. */
function numberedColumns(path: string, columns: readonly string[]): number[] {
  const found = columns.flatMap((name, i) => {
    const number = FEATURE.exec(name)?.[1]
    return number === undefined ? [] : [{ number: Number(number), i }]
  })
  found.sort((a, b) => a.number - b.number)
  const first = found[0]?.number ?? 0
  const gap = found.findIndex(({ number }, i) => number !== first + i)
  if (gap === -1) return found.map(({ i }) => i)
  throw fault(
    `${path}: the columns of features are not numbered one after the other: ${first + gap} is missing or there twice`,
  )
}

async function ofJsonLines(path: string): Promise<Rows> {
  const lines = decodeText(await readBytes(path), path).split(/\r\n|\n|\r/)
  const texts = new Map<string, (string | undefined)[]>()
  const at: number[] = []
  const where = (row: number) => `${path}:${at[row]}`
  const matrix = new Matrix(where)
  await breathing(lines.length, (i) => {
    if ((lines[i] ?? '').trim() === '') return
    at.push(i + 1)
    addObject(Object(parseJson(lines[i] ?? '', path, i + 1)), matrix, texts, at.length - 1, where)
  })
  return { features: matrix.tensor(), texts, where, about: {} }
}

/** An object of a file that has one for each image. */
function addObject(
  object: Readonly<Record<string, unknown>>,
  matrix: Matrix,
  texts: Map<string, (string | undefined)[]>,
  row: number,
  where: Rows['where'],
): void {
  const key = FEATURES.find((name) => isListOfValues(object[name]))
  const list: unknown = key === undefined ? undefined : object[key]
  if (!isListOfValues(list)) throw fault(`${where(row)} has no features`)
  matrix.add(list)
  for (const [name, value] of Object.entries(object)) {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') continue
    const column = texts.get(name.toLowerCase()) ?? []
    texts.set(name.toLowerCase(), column)
    column[row] = String(value).trim() || undefined
  }
}

const isListOfValues = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || value instanceof Float32Array || value instanceof Float64Array

async function ofParquet(path: string): Promise<Rows> {
  const file = await openParquet(path)
  const names = file.columns.map(({ name }) => name)
  const numbered = numberedColumns(
    path,
    names.map((name) => name.toLowerCase()),
  ).map((i) => names[i] ?? '')
  const texts = new Map<string, (string | undefined)[]>()
  const where = (row: number) => `${path}, row ${row + 1}`
  const matrix = new Matrix(where)
  const list = names.find((name) => FEATURES.includes(name.toLowerCase()))
  const read = file.columns.filter(({ name, kind }) => name === list || numbered.includes(name) || kind !== 'bytes')
  let row = 0
  for await (const group of rowGroups(
    file,
    read.map(({ name }) => name),
  )) {
    await mapBreathing(group, (values) => {
      const features = list === undefined ? numbered.map((name) => values[name]) : values[list]
      addObject({ ...values, features }, matrix, texts, row, where)
      row += 1
    })
  }
  for (const name of numbered) texts.delete(name.toLowerCase())
  return { features: matrix.tensor(), texts, where, about: aboutOf(path, file.notes) }
}
