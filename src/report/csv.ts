import { csvField } from '../data/csv.ts'

export type CsvCell = string | number | boolean | undefined

/** Lines of comma-separated values, quoted as RFC 4180 says, under their titles; undefined is an empty cell. */
export function csv(titles: readonly string[], rows: readonly (readonly CsvCell[])[]): string {
  return [titles, ...rows].map((row) => `${row.map(csvField).join(',')}\n`).join('')
}
