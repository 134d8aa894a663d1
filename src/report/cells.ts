import { largest } from '../base/extremes.ts'
import { average, type Cell, type Group, type Row } from './groups.ts'

/** What one table line or panel is about: a data set, or the average over all of a group. */
export interface Subject {
  readonly title: string
  readonly cell: (row: Row, shots: number) => Cell | undefined
  readonly isAverage: boolean
}

/** The data sets of a group, and where there are several, their average at the end. */
export function subjectsOf(group: Pick<Group, 'datasets' | 'averaged'>): Subject[] {
  const { datasets } = group
  const each = datasets.map((title): Subject => {
    return { title, isAverage: false, cell: (row, shots) => row.cell(title, shots) }
  })
  if (datasets.length < 2 || !group.averaged) return each
  const title = `Average over ${datasets.length} data sets`
  return [...each, { title, isAverage: true, cell: (row, shots) => average(row, group, shots) }]
}

export const COLLAPSED = '†'

/** `91.8 ± 0.3`, with a mark where a run collapsed, and the number of seeds where it is not the `usual` one. */
export function cellText(cell: Cell | undefined, usual?: number): string {
  if (cell === undefined) return ''
  const { mean, sd, n, collapsed, runs } = cell
  const spread = sd === undefined ? '' : ` ± ${percentText(sd)}`
  const few = usual !== undefined && n !== usual && runs.some(({ shots }) => shots > 0) ? ` (n=${n})` : ''
  return `${percentText(mean)}${spread}${few}${collapsed > 0 ? ` ${COLLAPSED}` : ''}`
}

/** Points of accuracy with one decimal. */
export const percentText = (percent: number): string => percent.toFixed(1)

/** The number of seeds that most cells have. */
export function usualSeeds(group: Group): number | undefined {
  const counts = new Map<number, number>()
  for (const row of group.rows) {
    for (const dataset of group.datasets) {
      for (const shots of group.shots) {
        const cell = shots > 0 ? row.cell(dataset, shots) : undefined
        if (cell) counts.set(cell.n, (counts.get(cell.n) ?? 0) + 1)
      }
    }
  }
  return [...counts].sort(([a, x], [b, y]) => y - x || b - a)[0]?.[0]
}

export const shotsText = (shots: number): string => (shots === 1 ? '1 shot' : `${shots} shots`)

/** Learning rows that have runs with this many shots on some data set. */
export const rowsAt = ({ rows }: Group, shots: number): Row[] =>
  rows.filter((row) => row.runs.some((run) => run.shots === shots))

/** Most shots of a group; 0 where nothing was learned from images. */
export const mostShots = ({ shots }: Group): number => largest(shots)
