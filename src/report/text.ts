import { visible } from '../base/visible.ts'
import type { Table } from './document.ts'

/** `0.7346` -> `73.5 %` */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`

/** `0:42`, `12:03`, `3:05:00` */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const shown = parts[0] === 0 ? parts.slice(1) : parts
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, '0'))).join(':')
}

export const took = (seconds: number): string => duration(1000 * seconds)

/** Lines of columns, the first flush left, the others flush right. */
export function columns(names: readonly (readonly string[])[]): string {
  const rows = names.map((cells) => cells.map(visible))
  const widthOf = (i: number) => Math.max(...rows.map((row) => row[i]?.length ?? 0))
  const widths = Array.from({ length: Math.max(...rows.map((row) => row.length)) }, (_, i) => widthOf(i))
  const pad = (cell: string, i: number) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}

/** A line a class, the worst first, and the whole at the end. */
export function accuracyTable(result: { accuracy: number; perClass: Readonly<Record<string, number>> }): string {
  const classes = Object.entries(result.perClass).sort(([, a], [, b]) => a - b)
  const lines = [...classes, ['all test images', result.accuracy] as const]
  return columns(lines.map(([label, accuracy]) => [label, percent(accuracy)]))
}

/** A table for a terminal: columns of words flush left, of numbers flush right. */
export function tableText({ head, rows, words }: Pick<Table, 'head' | 'rows' | 'words'>): string {
  const lines = [head, ...rows.map(({ cells }) => cells)].map((cells) => cells.map(visible))
  const widths = head.map((_, i) => Math.max(...lines.map((cells) => cells[i]?.length ?? 0)))
  const pad = (cell: string, i: number) => (i < words ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))
  return lines.map((cells) => cells.map(pad).join('  ').trimEnd()).join('\n')
}
