import type { RunShots } from '../data/fewshot.ts'
import { unique } from './canonical.ts'
import type { Subject } from './cells.ts'
import type { Cell, Group, Row } from './groups.ts'
import { approximations, differencesFromPaper, publishedAccuracy } from './published.ts'
import { meanOf } from './statistics.ts'

/** The published figures shown next to a group's own. */
export interface Reference {
  /** Published accuracy in %; undefined where there is none, or the runs' setting is not the paper's. */
  of(subject: Subject, row: Row, shots: RunShots): number | undefined
  /** What makes the comparison not quite exact, in words. */
  readonly notes: readonly string[]
}

/** Published figures where every run of a cell has the paper's setting. An average needs those of all its data sets. */
export function referenceOf(group: Group): Reference {
  const comparable = (cell: Cell) => cell.runs.every((run) => differencesFromPaper(run).length === 0)
  const ofDataset = (row: Row, dataset: string, shots: RunShots) => {
    const cell = row.cell(dataset, shots)
    const [run] = cell?.runs ?? []
    return cell && run && comparable(cell) ? publishedAccuracy(run) : undefined
  }
  const runs = group.rows.flatMap((row) => row.runs)
  const compared = runs.filter((run) => publishedAccuracy(run) !== undefined && differencesFromPaper(run).length === 0)
  return {
    of(subject, row, shots) {
      if (!subject.isAverage) return ofDataset(row, subject.title, shots)
      const values = group.datasets.map((dataset) => ofDataset(row, dataset, shots))
      const known = values.filter((value) => value !== undefined)
      return known.length === values.length && subject.cell(row, shots) ? meanOf(known) : undefined
    },
    notes: unique(compared.flatMap(approximations)),
  }
}
