import type { RunShots } from '../../data/fewshot.ts'
import { signed } from '../bar-chart.ts'
import { type Subject, subjectsOf } from '../cells.ts'
import { type Block, groupedTable, heading, text } from '../document.ts'
import type { Group, Row } from '../groups.ts'
import { meanOf, summarise } from '../statistics.ts'
import { intervalText } from './details.ts'

/** Accuracies in %, by seed. */
type BySeed = ReadonlyMap<number, number>

/**
 * Each method against the best one, seed by seed: runs of one seed learn from the same pictures, so that what these do to both falls
 * out of the difference.
 */
export function pairedSection(group: Group): Block[] {
  const lines = subjectsOf(group).flatMap((subject) =>
    group.shots.flatMap((shots) => (shots === 0 ? [] : pairedLines(group, subject, shots))),
  )
  if (lines.length === 0) return []
  const head = [
    'data set',
    'method',
    'against the best',
    'shots',
    'seeds',
    'difference',
    'sd',
    '95 % interval',
    'better in',
  ]
  return [
    heading(3, 'Paired comparison over seeds'),
    text(
      'Points of accuracy that a method has more than the best one at these shots, over the seeds that both have; hand-written prompts ' +
        'are the same for every seed. An interval, from three seeds on, that does not reach 0 tells the two apart by more than the draw of pictures.',
    ),
    groupedTable(head, 3, lines),
  ]
}

function pairedLines(group: Group, subject: Subject, shots: RunShots): string[][] {
  const rows = group.rows.flatMap((row) => {
    const values = accuracies(group, subject, row, shots)
    return values.size >= 2 ? [{ row, values }] : []
  })
  const [best] = [...rows].sort((a, b) => meanOf([...b.values.values()]) - meanOf([...a.values.values()]))
  if (best === undefined) return []
  const fixed = group.rows.flatMap((row) => {
    const cell = subject.cell(row, 0)
    const values = cell && new Map([...best.values.keys()].map((seed) => [seed, cell.mean] as const))
    return values ? [{ row, values }] : []
  })
  return [...fixed, ...rows].flatMap(({ row, values }) => {
    if (row === best.row) return []
    const differences = [...values].flatMap(([seed, value]) => {
      const other = best.values.get(seed)
      return other === undefined ? [] : [value - other]
    })
    if (differences.length < 2) return []
    const found = summarise(differences)
    const better = `${differences.filter((difference) => difference > 0).length} of ${found.n}`
    const figures = [signed(found.mean, 2), found.sd?.toFixed(2) ?? '', intervalText(found), better]
    return [[subject.title, row.label, best.row.label, String(shots), String(found.n), ...figures]]
  })
}

/** Of a row by seed; for an average, of the seeds that all of its data sets have. */
function accuracies(group: Group, subject: Subject, row: Row, shots: RunShots): BySeed {
  const datasets = subject.isAverage ? group.datasets : [subject.title]
  const each = datasets.map(
    (dataset) => new Map(row.cell(dataset, shots)?.runs.map(({ seed, accuracy }) => [seed, 100 * accuracy])),
  )
  const seeds = [...(each[0]?.keys() ?? [])].filter((seed) => each.every((values) => values.has(seed)))
  return new Map(seeds.map((seed) => [seed, meanOf(each.map((values) => values.get(seed) ?? Number.NaN))]))
}
