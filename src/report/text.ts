import stringWidth from 'string-width'
import { countOf } from '../base/count.ts'
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
  readonly measured?: string
}

/** How far an accuracy can be trusted, in a line. */
export function worthText({ tested, chance, interval: [low, high], measured }: Worth): string {
  const pictures = countOf(tested, 'picture')
  const range = `${(100 * low).toFixed(1)} to ${percent(high)}`
  const how =
    measured === 'cross-validated'
      ? `cross-validated on ${pictures}, each judged by a learner that had not seen it`
      : `tested on ${pictures}`
  return `${how}: 95 % interval ${range}, chance ${percent(chance)} (the most frequent class every time)`
}

/** What a threshold and label sets are worth, a line each. */
export function decisionLines({ reject, sets }: Decisions): string[] {
  const lines: string[] = []
  if (reject) {
    const { threshold, answered, accuracy, others, rejected } = reject
    const right = accuracy === null ? '' : `, of which ${percent(accuracy)} are right`
    const none = rejected === null ? '' : `; of ${countOf(others, 'picture')} of no class ${percent(rejected)} get none`
    // thresholds of a sure run are near 100 %
    const below = Number((100 * threshold).toPrecision(6))
    lines.push(`none of these below ${below} %: ${percent(answered)} get an answer${right}${none}`)
  }
  if (sets) {
    const { coverage, reached, meanSize } = sets
    lines.push(
      `label sets for ${percent(coverage)}: hold the class for ${percent(reached)}, ${meanSize.toFixed(2)} classes on average`,
    )
  }
  return lines
}

/** Shares are fractions of 1. */
interface Decisions {
  readonly reject?: {
    readonly threshold: number
    readonly answered: number
    readonly accuracy: number | null
    readonly others: number
    readonly rejected: number | null
  } | null
  readonly sets?: { readonly coverage: number; readonly reached: number; readonly meanSize: number } | null
}

/** A line a class, the worst first, the whole at the end, and what that is worth. */
export function accuracyTable(
  result: Worth & { readonly accuracy: number; readonly perClass: Readonly<Record<string, number>> },
): string {
  const classes = Object.entries(result.perClass).sort(([, a], [, b]) => a - b)
  const all = result.measured === 'cross-validated' ? 'all pictures' : 'all test images'
  const lines = [...classes, [all, result.accuracy] as const]
  return `${columns(lines.map(([label, accuracy]) => [label, percent(accuracy)]))}\n\n${worthText(result)}`
}

/** A table for a terminal. */
export const tableText = ({ head, rows, words }: Pick<Table, 'head' | 'rows' | 'words'>): string =>
  columns([head, ...rows.map(({ cells }) => cells)], words)
