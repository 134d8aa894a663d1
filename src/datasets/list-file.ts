import { breathing, mapBreathing } from '../base/breathe.ts'
import { FileError } from '../base/errors.ts'
import { parseCsv } from '../data/csv.ts'
import { parseJson } from '../formats/json.ts'
import { readBytes } from '../node/files.ts'

/** A row of a list: a text for each column it has something in. */
export interface ListRow {
  /** `photos.csv:12`, for messages. */
  readonly where: string
  readonly values: ReadonlyMap<string, string>
}

/** A list of any format; columns in lower case. */
export interface List {
  readonly file: string
  readonly columns: readonly string[]
  readonly rows: readonly ListRow[]
}

type Parse = (text: string, file: string) => Promise<List>

const FORMATS: Readonly<Record<string, Parse>> = {
  '.csv': (text, file) => delimited(text, ',', file),
  '.tsv': (text, file) => delimited(text, '\t', file),
  '.jsonl': jsonLines,
  '.ndjson': jsonLines,
}

/** Extensions of the lists that `readList` reads. */
export const LIST_EXTENSIONS: readonly string[] = Object.keys(FORMATS)

/**
 * Reads a CSV or TSV file with a header, or a file with a JSON object on each line (by its extension); UTF-8, with or
 * without byte order mark. Numbers of JSON become texts, null counts as absent.
 *
 * @throws FileError with file and line for what cannot be parsed, and for a file without rows
 */
export async function readList(file: string): Promise<List> {
  const extension = LIST_EXTENSIONS.find((ending) => file.toLowerCase().endsWith(ending))
  const parse = FORMATS[extension ?? '']
  if (parse === undefined)
    throw new FileError(`${file} is not a list`, `the name of a list ends in ${LIST_EXTENSIONS.join(', ')}`)
  const table = await parse(decodeText(await readBytes(file), file), file)
  if (table.rows.length > 0) return table
  throw new FileError(`${file} lists no images: it has no rows`, 'give it a row for each image')
}

/** A file's bytes as UTF-8. Throws FileError for others. */
export function decodeText(bytes: Uint8Array, file: string): string {
  const text = utf8Of(bytes)
  // UTF-16 has a zero in every other byte
  if (text !== undefined && !text.includes('\0')) return text
  throw new FileError(`${file} is not UTF-8 text`, 'save it again as UTF-8')
}

function utf8Of(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes) // drops the byte order mark
  } catch {
    return undefined
  }
}

async function delimited(text: string, delimiter: string, file: string): Promise<List> {
  const records = parseCsv(text, delimiter, file)
  const first = records.next()
  const header = first.done ? undefined : first.value
  const columns = (header?.fields ?? []).map(columnName)
  const twice = columns.find((name, i) => name !== '' && columns.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new FileError(`${file}:${header?.line}: two columns are named "${twice}"`, 'rename one of them')
  }
  const rows = await mapBreathing(records, ({ line, fields }): ListRow => {
    const where = `${file}:${line}`
    if (fields.length !== columns.length) {
      throw new FileError(
        `${where}: ${fields.length} fields, but the header has ${columns.length}`,
        'give each row a field for each column; put quotes around a field that contains the delimiter',
      )
    }
    return { where, values: new Map(fields.flatMap((field, i) => entry(columns[i], field.trim()))) }
  })
  return { file, columns, rows }
}

async function jsonLines(text: string, file: string): Promise<List> {
  const columns = new Set<string>()
  const rows: ListRow[] = []
  const lines = text.split(/\r\n|\n|\r/)
  await breathing(lines.length, (i) => {
    const line = lines[i] ?? ''
    if (line.trim() === '') return
    const where = `${file}:${i + 1}`
    const values = valuesOf(parseJson(line, file, i + 1), where)
    for (const column of values.keys()) columns.add(column)
    rows.push({ where, values })
  })
  return { file, columns: [...columns], rows }
}

function valuesOf(value: unknown, where: string): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FileError(
      `${where}: not a JSON object`,
      'write one JSON object per line: {"path": "1.jpg", "label": "cat"}',
    )
  }
  // columns of other types (boxes, captions...) are none of this reader's
  const texts = Object.entries(value).filter(([, field]) => typeof field === 'string' || typeof field === 'number')
  return new Map(texts.flatMap(([name, field]) => entry(columnName(name), String(field).trim())))
}

const columnName = (name: string) => name.trim().toLowerCase()

/** An empty field is no value at all. */
function entry(column: string | undefined, text: string): [string, string][] {
  return column === undefined || column === '' || text === '' ? [] : [[column, text]]
}
