import { basename } from 'node:path'
import { countOf } from '../../base/count.ts'
import { FileError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import type { Dataset } from '../../data/items.ts'
import { datasetOfRows, type LabelledRow } from '../../data/rows.ts'
import type { Part } from '../../data/split.ts'
import type { DatasetCard } from './card.ts'
import { type ColumnOptions, type ImageColumns, imageColumnsOf } from './columns.ts'
import { openParquet, type ParquetFile } from './file.ts'
import { type UnpackedRow, unpackImages } from './unpack.ts'

/** A parquet file and the part of the data set that it is. */
export interface ParquetSource {
  readonly file: string
  readonly split: Part | undefined
}

export interface ParquetOptions extends ColumnOptions {
  /** Where images are unpacked to, once. */
  readonly cache: string
  /** Decides the split where the files do not say one (default 1). */
  readonly seed?: number
  /** Share of each class that such a split holds out for testing (default TEST_SHARE). */
  readonly testShare?: number
}

export interface ParquetAbout {
  /** Name of the data set. */
  readonly name: string
  /** What messages call it. */
  readonly source: string
  readonly root: string
  readonly card: DatasetCard
  /** Configuration of the card that was chosen. */
  readonly config: string
}

/**
 * Image data sets as Hugging Face writes them: an image a row, as bytes or `{bytes, path}`, and a label, a number or a
 * text. Names of numbers are those in the files, else in the card, else the numbers. Rows without label (or with -1, as
 * the hub has it) are left out with a warning. Classes and splits are as for lists.
 *
 * @throws FileError for what is damaged or contradicts itself, naming file and row
 */
export async function readParquet(
  sources: readonly ParquetSource[],
  about: ParquetAbout,
  options: ParquetOptions,
  hooks: Hooks = {},
): Promise<Dataset> {
  const files: Opened[] = []
  for (const { file: path, split } of sources) {
    const file = await openParquet(path)
    files.push({ file, split, columns: imageColumnsOf(file, options) })
  }
  const labels = labelNames(files, about)
  const total = files.reduce((sum, { file }) => sum + Number(file.metadata.num_rows), 0)
  let done = 0
  const onRows = (more: number, when: 'now' | 'before') => {
    done += more
    if (when === 'now') hooks.onProgress?.({ kind: 'unpack', done, total })
  }
  const rows: LabelledRow[] = []
  for (const opened of files) {
    const unpacked = await unpackImages(opened.file, opened.columns, options.cache, onRows)
    for (const row of labelledRows(opened, unpacked, hooks)) rows.push(row)
  }
  if (rows.length === 0) throw new FileError(`${about.source} has no labelled images`, 'give a data set that has some')
  const { name, root, source } = about
  const { seed, testShare } = options
  return datasetOfRows(rows, { name, root, source, ...labels, seed, testShare, toName }, hooks)
}

const toName = () => 'put them into the file itself or into the README.md next to it (dataset_info)'

interface Opened {
  readonly file: ParquetFile
  readonly split: Part | undefined
  readonly columns: ImageColumns
}

/** Throws FileError where two files name the labels differently. */
function labelNames(
  files: readonly Opened[],
  { card, config }: ParquetAbout,
): { names?: readonly string[]; namesFrom?: string } {
  const [first, ...others] = files.filter(({ columns }) => columns.names !== undefined)
  if (first?.columns.names === undefined) {
    const column = files[0]?.columns.label ?? ''
    const named = card.labelNames.get(config) ?? card.labelNames.get('default') ?? card.labelNames.get('')
    const names = named?.get(column)
    return names === undefined ? {} : { names, namesFrom: 'the README.md of the data set' }
  }
  const { names } = first.columns
  const other = others.find(({ columns }) => columns.names?.join('\n') !== names.join('\n'))
  if (other === undefined) return { names, namesFrom: first.file.path }
  const at = names.findIndex((name, i) => name !== other.columns.names?.[i])
  throw new FileError(
    `${first.file.path} and ${other.file.path} name the labels differently: ` +
      `label ${Math.max(at, 0)} is "${names[at] ?? ''}" in the first and "${other.columns.names?.[at] ?? ''}" in the second`,
    'write the files again with the same names',
  )
}

function labelledRows(
  { file: { path }, split }: Opened,
  rows: readonly UnpackedRow[],
  { onWarning }: Hooks,
): LabelledRow[] {
  const labelled = rows.flatMap(({ row, path: image, hash, label }) => {
    if (label === null || label === -1 || label === '') return []
    const where = `${path}, row ${row}`
    return [{ path: image, identity: hash, key: hash, label, where, split }]
  })
  const without = rows.length - labelled.length
  if (without > 0)
    onWarning?.(
      `${basename(path)}: ${without} of ${countOf(rows.length, 'image')} ${without === 1 ? 'has no label and is' : 'have no label and are'} left out`,
    )
  return labelled
}
