import stringWidth from 'string-width'
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

/**
 * Lines of columns, those of words flush left, the others flush right. A cell is as wide as a terminal shows it: Chinese
 * characters and emoji take two columns, combining marks none.
 */
export function columns(names: readonly (readonly string[])[], words = 1): string {
  const rows = names.map((cells) => cells.map(visible))
  const count = rows.reduce((most, { length }) => Math.max(most, length), 0)
  const widths = Array.from({ length: count }, (_, i) =>
    rows.reduce((most, row) => Math.max(most, stringWidth(row[i] ?? '')), 0),
  )
  const pad = (cell: string, i: number) => {
    const space = ' '.repeat((widths[i] ?? 0) - stringWidth(cell))
    return i < words ? cell + space : space + cell
  }
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}

/** An accuracy and what it rests on; fractions of 1. */
interface Worth {
  readonly tested: number
  readonly chance: number
  readonly interval: readonly [number, number]
}

/** How far an accuracy can be trusted, in a line. */
export function worthText({ tested, chance, interval: [low, high] }: Worth): string {
  const pictures = tested === 1 ? '1 picture' : `${tested} pictures`
  const range = `${(100 * low).toFixed(1)} to ${percent(high)}`
  return `tested on ${pictures}: 95 % interval ${range}, chance ${percent(chance)} (the most frequent class every time)`
}

/** A line a class, the worst first, the whole at the end, and what that is worth. */
export function accuracyTable(
  result: Worth & { readonly accuracy: number; readonly perClass: Readonly<Record<string, number>> },
): string {
  const classes = Object.entries(result.perClass).sort(([, a], [, b]) => a - b)
  const lines = [...classes, ['all test images', result.accuracy] as const]
  return `${columns(lines.map(([label, accuracy]) => [label, percent(accuracy)]))}\n\n${worthText(result)}`
}

/** A table for a terminal. */
export const tableText = ({ head, rows, words }: Pick<Table, 'head' | 'rows' | 'words'>): string =>
  columns([head, ...rows.map(({ cells }) => cells)], words)
