import type { AlikeRow, ConfusionCell, InspectionTables, PictureRow } from '../../trained/inspect/types.ts'

/** Lists are shown up to these, so that the page of a large folder stays a page. */
const MOST = { mistakes: 24, labels: 24, duplicates: 12, alike: 6, outliers: 18, wrongCell: 6, rightCell: 3, spots: 36 }
/** Pictures of all lists together: some 3 kB each. */
const MOST_PICTURES = 420
/** Classes of the confusion matrix; of more, those that are confused most. */
const MOST_CLASSES = 24
/** Cells that can be opened beside the matrix. */
const MOST_PAIRS = 12

/** What the page shows of the tables. */
export interface Shown {
  readonly mistakes: readonly PictureRow[]
  readonly labels: InspectionTables['labels']
  readonly duplicates: readonly AlikeRow[]
  readonly outliers: InspectionTables['outliers']
  /** Classes of the matrix, in the order of the run. */
  readonly classes: readonly string[]
  /** Cells of the matrix, and the most frequent confusions of other classes. */
  readonly cells: readonly ConfusionCell[]
  readonly pairs: readonly ConfusionCell[]
  /** Pictures on the map that do not cover each other. */
  readonly spots: InspectionTables['map']
}

export function shownOf(tables: InspectionTables): Shown {
  const { mistakes, labels, duplicates, outliers, confusion, map } = tables
  const classes = classesShown(tables)
  const inMatrix = new Set(classes)
  const pairs = confusion.filter(({ label, answer }) => label !== answer).slice(0, MOST_PAIRS)
  const cells = confusion.filter(
    (cell) => (inMatrix.has(cell.label) && inMatrix.has(cell.answer)) || pairs.includes(cell),
  )
  return {
    mistakes: mistakes.slice(0, MOST.mistakes),
    labels: labels.slice(0, MOST.labels),
    duplicates: duplicates.slice(0, MOST.duplicates),
    outliers: outliers.slice(0, MOST.outliers),
    ...{ classes, cells, pairs, spots: spotsOf(map) },
  }
}

/** Pictures of a cell that are shown when it is opened. */
export const picturesOfCell = ({ label, answer, pictures }: ConfusionCell): readonly number[] =>
  pictures.slice(0, label === answer ? MOST.rightCell : MOST.wrongCell)

export const picturesOfGroup = ({ pictures }: AlikeRow): readonly PictureRow[] => pictures.slice(0, MOST.alike)

/** Pictures that the page has copies of, each once, the most telling first. */
export function picturesShown(tables: InspectionTables): number[] {
  const { mistakes, labels, duplicates, outliers, cells, spots } = shownOf(tables)
  const wrong = cells.filter(({ label, answer }) => label !== answer)
  const right = cells.filter(({ label, answer }) => label === answer)
  const all = [
    ...[mistakes, labels, duplicates.flatMap(picturesOfGroup), outliers].flatMap((rows) =>
      rows.map(({ picture }) => picture),
    ),
    ...spots.map(({ picture }) => picture),
    ...[...wrong, ...right].flatMap(picturesOfCell),
  ]
  return [...new Set(all)].slice(0, MOST_PICTURES)
}

function classesShown({ classNames, confusion }: InspectionTables): readonly string[] {
  if (classNames.length <= MOST_CLASSES) return classNames
  const errors = new Map<string, number>()
  for (const { label, answer, pictures } of confusion) {
    if (label === answer) continue
    for (const name of [label, answer]) errors.set(name, (errors.get(name) ?? 0) + pictures.length)
  }
  const most = [...errors].sort(([, a], [, b]) => b - a).slice(0, MOST_CLASSES)
  const kept = new Set(most.map(([name]) => name))
  return classNames.filter((name) => kept.has(name))
}

/** Pictures that do not cover each other. */
function spotsOf(map: InspectionTables['map']): InspectionTables['map'] {
  const spots: InspectionTables['map'][number][] = []
  for (const spot of map) {
    if (spots.length === MOST.spots) break
    const covered = spots.some(({ x, y }) => Math.max(Math.abs(x - spot.x), Math.abs(y - spot.y)) < SPOT)
    if (!covered) spots.push(spot)
  }
  return spots
}

/** Share of the map that a picture is wide. */
const SPOT = 0.09
