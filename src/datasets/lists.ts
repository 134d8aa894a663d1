import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path'
import { breathe, filterBreathing, mapBreathing } from '../base/breathe.ts'
import { countOf } from '../base/count.ts'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { codesAmong } from '../data/codes.ts'
import { type Dataset, isOthers } from '../data/items.ts'
import { datasetOfRows, type LabelledRow, type RowsAbout } from '../data/rows.ts'
import { PART_NAMES, type Part, partNamed } from '../data/split.ts'
import { missingImages } from './check-images.ts'
import { lineFor, linesByCode, namesFileIn, namesOfCodes, readClassFile } from './class-file.ts'
import { type List, type ListRow, readList } from './list-file.ts'

export interface ListOptions {
  /** Decides the split where the list has no column for it (default 1). */
  readonly seed?: number
  /** Share of each class that such a split holds out for testing (default TEST_SHARE). */
  readonly testShare?: number
  /** Leave out images that are not there, with a warning, instead of throwing. */
  readonly skipBadImages?: boolean
  /** Names of the columns, where they are not among the usual ones. */
  readonly imageColumn?: string
  readonly labelColumn?: string
}

/** Names that columns have, the first that is there is taken. */
const IMAGE_COLUMNS = ['path', 'file', 'image', 'file_name', 'filename']
export const LABEL_COLUMNS = ['label', 'class']
export const NAME_COLUMNS = ['label_name', 'class_name']
export const SPLIT_COLUMN = 'split'

/**
 * Reads a list of images (CSV or TSV with a header, or JSON lines): a column for the image, its path relative to the
 * list's folder or absolute; one for the label, a name or a number; perhaps one for the split. Numbers and ids of WordNet get their
 * names from a column `label_name`, or from `classes.txt` beside the list, else they are the names, with a warning. Classes are in byte order
 * of their labels, or in numerical order; images keep the list's order, in which few-shot subsets are drawn.
 *
 * @throws FileError with file and line for a missing column, image, label or split
 */
export async function readImageList(file: string, options: ListOptions = {}, hooks: Hooks = {}): Promise<Dataset> {
  const table = await readList(file)
  const columns = columnsOf(table, options)
  const folder = dirname(file)
  const listed = await mapBreathing(table.rows, (row) => labelledRow(row, columns, folder))
  await breathe()
  const { rows, ...names } = await namedRows(listed, folder, columns.name)
  const { seed, testShare } = options
  const about = { name: basename(file, extname(file)), root: folder, source: file, seed, testShare }
  const there = await onlyPresent(rows, options.skipBadImages ?? false, hooks)
  return datasetOfRows(there, { ...about, ...names }, hooks)
}

/**
 * Rows of a list with the names of their classes: where all labels are whole numbers they count from 0, and numbers and ids of WordNet
 * get their names from `classes.txt` in the folder, unless a column has them.
 * @param nameColumn the column that gave the rows their names
 */
export async function namedRows(
  listed: readonly (LabelledRow & { readonly label: string })[],
  folder: string,
  nameColumn: string | undefined,
): Promise<Pick<RowsAbout, 'names' | 'namesFrom' | 'toName'> & { readonly rows: readonly LabelledRow[] }> {
  const numbered = listed.every(({ label }) => WHOLE_NUMBER.test(label) || isOthers(label))
  const rows = numbered
    ? await mapBreathing(listed, (row) => ({ ...row, label: isOthers(row.label) ? row.label : numberOf(row) }))
    : listed
  const labels = [...new Set(rows.map(({ label }) => String(label)))].filter((label) => !isOthers(label))
  const codes = codesAmong(labels.sort())
  const classFile = nameColumn === undefined && codes.size > 0 ? await readClassFile(folder) : undefined
  const toName = (code: string) =>
    nameColumn === undefined
      ? `add a column label_name, or ${lineFor(code, classFile?.file ?? namesFileIn(folder))}`
      : `write them into the column ${nameColumn}`
  const inOrder = numbered && classFile !== undefined && linesByCode(classFile) === undefined
  if (inOrder) return { rows, names: classFile.lines, namesFrom: classFile.file, toName }
  return { rows: classFile === undefined ? rows : await namedBy(namesOfCodes(codes, classFile), rows), toName }
}

/** Rows with the names that their labels have. */
function namedBy(names: ReadonlyMap<string, string>, rows: readonly LabelledRow[]): Promise<LabelledRow[]> {
  return mapBreathing(rows, (row) => ({ ...row, name: names.get(String(row.label)) }))
}

interface Columns {
  readonly image: string
  readonly label: string
  readonly name: string | undefined
  readonly split: string | undefined
}

function columnsOf(table: List, { imageColumn, labelColumn }: ListOptions): Columns {
  const image = columnNamed(table, 'images', IMAGE_COLUMNS, imageColumn)
  const label = columnNamed(table, 'labels', LABEL_COLUMNS, labelColumn)
  const name = NAME_COLUMNS.find((column) => column !== label && table.columns.includes(column))
  return { image, label, name, split: table.columns.includes(SPLIT_COLUMN) ? SPLIT_COLUMN : undefined }
}

function columnNamed({ file, columns }: List, what: string, usual: readonly string[], asked?: string): string {
  const wanted = asked === undefined ? usual : [asked.toLowerCase()]
  const found = wanted.find((column) => columns.includes(column))
  if (found !== undefined) return found
  const delimiter = columns.length === 1 && /[;\t,]/.test(columns[0] ?? '') ? ' (a .csv has commas, a .tsv tabs)' : ''
  throw new FileError(
    `${file}: no column for the ${what}; the ${columns.length === 1 ? 'only column is' : 'columns are'} ` +
      `${columns.map((column) => JSON.stringify(column)).join(', ')}${delimiter}`,
    asked === undefined ? `name it ${usual.join(' or ')}` : 'give the name of a column in the list',
  )
}

function labelledRow({ where, values }: ListRow, columns: Columns, folder: string): LabelledRow & { label: string } {
  const text = (column: string, what: string) => {
    const value = values.get(column)
    if (value !== undefined) return value
    throw new FileError(`${where} has no ${what}: the column "${column}" is empty`, 'complete or remove the row')
  }
  const listed = text(columns.image, 'image')
  const path = isAbsolute(listed) ? listed : join(folder, listed)
  return {
    where,
    path,
    identity: resolve(path),
    key: listed,
    label: text(columns.label, 'label'),
    name: columns.name === undefined ? undefined : text(columns.name, 'class name'),
    split: columns.split === undefined ? undefined : splitOf(text(columns.split, 'split'), where),
  }
}

export function splitOf(word: string, where: string): Part {
  const split = partNamed(word)
  if (split !== undefined) return split
  throw new FileError(`${where}: the split "${word}" is not one of ${PART_NAMES.join(', ')}`, 'correct the row')
}

/** Spreadsheets and pandas write 3 as 3.0 now and then. */
const WHOLE_NUMBER = /^-?\d+(\.0*)?$/

function numberOf({ label, where }: { readonly label: string; readonly where: string }): number {
  if (Number(label) >= 0) return Number(label)
  throw new FileError(`${where}: the label ${label} is below 0`, 'labels count from 0; remove rows without a label')
}

/** Throws FileError naming the first image that is not there, or leaves such images out with a warning. */
async function onlyPresent(rows: readonly LabelledRow[], skip: boolean, { onWarning }: Hooks): Promise<LabelledRow[]> {
  const items = await mapBreathing(rows, ({ path }) => ({ path, label: 0 }))
  const gone = new Set(await mapBreathing(await missingImages(items), ({ path }) => path))
  const missing = gone.size === 0 ? [] : await filterBreathing(rows, ({ path }) => gone.has(path))
  const [first] = missing
  if (first === undefined) return [...rows]
  if (skip && missing.length < rows.length) {
    for (const { where, path } of missing) onWarning?.(`left out: ${where}: image file not found: ${path}`)
    return filterBreathing(rows, ({ path }) => !gone.has(path))
  }
  const more = missing.length > 1 ? ` (and those of ${countOf(missing.length - 1, 'more row')})` : ''
  throw new FileError(
    `${first.where}: image file not found: ${first.path}${more}`,
    'correct the path, which is relative to the folder of the list; skipBadImages (--skip-bad-images) leaves such rows out',
  )
}
