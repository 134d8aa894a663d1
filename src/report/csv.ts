export type CsvCell = string | number | boolean | undefined

/** Lines of comma-separated values, quoted as RFC 4180 says, under their titles; undefined is an empty cell. */
export function csv(titles: readonly string[], rows: readonly (readonly CsvCell[])[]): string {
  return [titles, ...rows].map((row) => `${row.map(quoted).join(',')}\n`).join('')
}

function quoted(cell: CsvCell): string {
  const text = cell === undefined ? '' : String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
