import { countOf } from '../../base/count.ts'
import type { RunShots } from '../../data/fewshot.ts'
import { compareText, unique } from '../canonical.ts'
import { cellText, percentText, usualSeeds } from '../cells.ts'
import { type Block, groupedTable, heading, list, text } from '../document.ts'
import type { Cell, Group, Row } from '../groups.ts'
import { plainName } from '../published.ts'
import { harmonicMean, meanOf, PERCENT, summarise } from '../statistics.ts'

/** The other half of the classes. */
const NEW = 'new'

/** Accuracy of the same runs elsewhere; undefined unless all of them were measured there. */
export function cellElsewhere(cell: Cell | undefined, target: string): Cell | undefined {
  if (cell === undefined) return undefined
  const values = cell.runs.flatMap(({ elsewhere }) => elsewhere[target] ?? []).map((value) => 100 * value)
  if (values.length < cell.runs.length) return undefined
  const same = cell.n === 1 && new Set(values).size === 1
  return { ...summarise(same ? values.slice(0, 1) : values, PERCENT), runs: cell.runs, collapsed: cell.collapsed }
}

const learnsText = (shots: RunShots): string => (shots === 0 ? '–' : String(shots))

/** Every method and number of shots that has runs on a data set. */
function eachCell({ rows, shots }: Group, dataset: string): { row: Row; shots: RunShots; cell: Cell }[] {
  return rows.flatMap((row) =>
    shots.flatMap((count) => {
      const cell = row.cell(dataset, count)
      return cell ? [{ row, shots: count, cell }] : []
    }),
  )
}

/** Learned from half of the classes: accuracy on these, on the others, and the harmonic mean of both. */
export function baseToNewTable(group: Group): ReturnType<typeof groupedTable> {
  const usual = usualSeeds(group)
  const each = group.datasets.flatMap((dataset) =>
    eachCell(group, dataset).map((entry) => ({ ...entry, dataset, fresh: cellElsewhere(entry.cell, NEW) })),
  )
  const lines = each.map(({ dataset, row, shots, cell, fresh }) => {
    const harmonic = fresh ? percentText(harmonicMean(cell.mean, fresh.mean)) : ''
    return [dataset, row.label, learnsText(shots), cellText(cell, usual), cellText(fresh, usual), harmonic]
  })
  const averages = group.rows.flatMap((row) =>
    group.shots.flatMap((shots) => {
      const of = each.filter((entry) => entry.row === row && entry.shots === shots)
      const fresh = of.flatMap((entry) => entry.fresh?.mean ?? [])
      if (!group.averaged || of.length < group.datasets.length || fresh.length < of.length || of.length < 2) return []
      const means = [meanOf(of.map(({ cell }) => cell.mean)), meanOf(fresh)] as const
      const figures = [...means, harmonicMean(...means)].map(percentText)
      return [[`Average over ${countOf(of.length, 'data set')}`, row.label, learnsText(shots), ...figures]]
    }),
  )
  return groupedTable(['data set', 'method', 'shots', 'base', 'new', 'H'], 2, [...lines, ...averages])
}

export function baseToNewSection(group: Group): Block[] {
  return [
    heading(3, 'Base to new classes'),
    text(
      'Learned from the first half of the classes (base), measured on that half and on the other half (new), in %. H is the harmonic mean of the two means; for an average, of its own two means.',
    ),
    baseToNewTable(group),
  ]
}

/** ImageNet's relatives, on which its classes are measured under a shift of domain. */
const SHIFTED = ['imagenetv2', 'imagenetsketch', 'imageneta', 'imagenetr']
const isShift = (source: string, target: string): boolean =>
  plainName(source) === 'imagenet' && SHIFTED.includes(plainName(target))

/** What was learned on one data set, measured on others: shifted ones with the same classes, and ones with other classes. */
export function elsewhereSections(group: Group): Block[] {
  return [
    ...transferSection(
      group,
      'Domain shift',
      'Learned from the source, measured on another kind of pictures; accuracy in %.',
      isShift,
    ),
    ...transferSection(
      group,
      'Other data sets',
      'Learned from the source, measured on other data sets with their own class names; accuracy in %.',
      (source, target) => !isShift(source, target),
    ),
  ]
}

function transferSection(
  group: Group,
  title: string,
  caption: string,
  belongs: (source: string, target: string) => boolean,
): Block[] {
  const usual = usualSeeds(group)
  const tables = group.datasets.flatMap((source): Block[] => {
    const cells = eachCell(group, source)
    const measured = cells.flatMap(({ cell }) => cell.runs.flatMap(({ elsewhere }) => Object.keys(elsewhere)))
    const targets = unique(measured)
      .filter((target) => target !== NEW && belongs(source, target))
      .sort(compareText)
    const lines = cells.flatMap(({ row, shots, cell }) => {
      const there = targets.map((target) => cellElsewhere(cell, target))
      if (there.every((each) => each === undefined)) return []
      const known = there.flatMap((each) => each?.mean ?? [])
      const mean = known.length === targets.length && targets.length > 1 ? percentText(meanOf(known)) : ''
      const figures = [cell, ...there].map((each) => cellText(each, usual))
      return [[row.label, learnsText(shots), ...figures, ...(targets.length > 1 ? [mean] : [])]]
    })
    if (lines.length === 0) return []
    const head = [
      'method',
      'shots',
      `${source} (source)`,
      ...targets,
      ...(targets.length > 1 ? ['mean of targets'] : []),
    ]
    return [groupedTable(head, 1, lines), ...missingNote(lines)]
  })
  return tables.length === 0 ? [] : [heading(3, title), text(caption), ...tables]
}

function missingNote(lines: readonly (readonly string[])[]): Block[] {
  const gaps = lines.some((line) => line.slice(0, -1).includes(''))
  return gaps
    ? [list(['An empty cell: not all runs were measured there, or the method works only for the classes it learned.'])]
    : []
}
