import { FileError } from '../base/errors.ts'

export interface CsvRecord {
  /** Line of the file on which it begins, counted from 1. */
  readonly line: number
  readonly fields: readonly string[]
}

const QUOTED = /"([^"]*(?:""[^"]*)*)"/y
const LINE_END = /\r\n|\n|\r|$/y

/**
 * Records of a CSV text (RFC 4180), one at a time: fields in quotes may hold the delimiter, line ends and doubled quotes; lines end in
 * LF, CR LF or CR; empty lines are skipped. A quote inside a field that does not begin with one is taken literally.
 *
 * @param delimiter one character: `,`, or a tab for TSV
 * @throws FileError with file and line for a quoted field that does not end, or continues after its quote
 */
export function* parseCsv(text: string, delimiter: string, file: string): Generator<CsvRecord> {
  const plain = new RegExp(`[^${delimiter}\r\n]*`, 'y')
  let at = 0
  let line = 1

  const match = (pattern: RegExp) => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found) at += found[0].length
    return found
  }
  const readField = (): string => {
    if (text[at] !== '"') return match(plain)?.[0] ?? ''
    const begin = line
    const quoted = match(QUOTED)?.[1]
    if (quoted === undefined) throw broken(file, begin, 'a field begins with a quote that is never closed')
    line += lineEnds(quoted)
    return quoted.replaceAll('""', '"')
  }
  const readRecord = (): CsvRecord => {
    const begin = line
    const fields = [readField()]
    while (text[at] === delimiter) {
      at++
      fields.push(readField())
    }
    if (match(LINE_END) === null) throw broken(file, line, `there is text after the quoted field ${fields.length}`)
    line++
    return { line: begin, fields }
  }

  while (at < text.length) {
    const record = readRecord()
    if (record.fields.length > 1 || record.fields[0] !== '') yield record
  }
}

function lineEnds(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0
}

function broken(file: string, line: number, what: string): FileError {
  return new FileError(`${file}:${line}: ${what}`, 'put quotes around the whole field, and double the quotes inside it')
}

/** A field as RFC 4180 quotes it; undefined is empty. Text stays what it is, also what a spreadsheet takes for a formula. */
export function csvField(value: string | number | boolean | undefined): string {
  const text = value === undefined ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
