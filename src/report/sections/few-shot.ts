import { countOf } from '../../base/count.ts'
import { type RunShots, shotsText } from '../../data/fewshot.ts'
import { type Bar, barChart, barLines } from '../bar-chart.ts'
import { canonicalJson, groupBy } from '../canonical.ts'
import { COLLAPSED, cellText, mostShots, type Subject, subjectsOf, usualSeeds } from '../cells.ts'
import { type Block, type Figure, groupedTable, heading, list, text } from '../document.ts'
import { type Group, type Row, zeroShotRow } from '../groups.ts'
import {
  circle,
  type LineChart,
  lineChart,
  linePanels,
  type Panel,
  type Point,
  type Series,
  star,
} from '../line-chart.ts'
import { stylesOf } from '../line-styles.ts'
import type { Reference } from '../reference.ts'
import { COLOURS } from '../svg.ts'

/** Accuracy of each method by shots, for each data set and on average; the report's main table. */
export function accuracyTable(group: Group): ReturnType<typeof groupedTable> {
  const usual = usualSeeds(group)
  const lines = subjectsOf(group).flatMap((subject) =>
    group.rows.flatMap((row) => {
      const cells = group.shots.map((shots) => cellText(subject.cell(row, shots), usual))
      return cells.every((cell) => cell === '') ? [] : [[subject.title, row.label, ...cells]]
    }),
  )
  return groupedTable(['data set', 'method', ...group.shots.map((shots) => String(shots))], 2, lines)
}

export function fewShotSection(group: Group, name: string, reference: Reference): Block[] {
  return [
    heading(3, 'Accuracy by shots'),
    text(captionOf(group)),
    accuracyTable(group),
    ...notesOf(group),
    ...figures(group, name, reference),
  ]
}

function captionOf(group: Group): string {
  const usual = usualSeeds(group)
  const spread =
    usual === undefined || usual === 1
      ? 'one run each'
      : `mean ± sample standard deviation over ${countOf(usual, 'seed')} unless stated otherwise`
  return `Accuracy on the test images in %, by number of training images per class (0: nothing is learned from images); ${spread}.`
}

/** What a reader must know about single cells. */
function notesOf(group: Group): Block[] {
  const collapsed = group.rows.flatMap(({ runs }) => runs.filter((run) => run.collapsed))
  const notes = [...missingAverages(group)]
  if (collapsed.length > 0)
    notes.push(`${COLLAPSED}, and a ring in the figures: some runs ended at chance; they are part of the mean.`)
  return notes.length === 0 ? [] : [list(notes)]
}

/** Where there is no average, and for want of which data sets. */
function missingAverages({ datasets, averaged, rows, shots }: Group): string[] {
  if (datasets.length < 2) return []
  if (!averaged) return ['No average: data sets with the same name differ in their classes.']
  return rows.flatMap((row) => {
    const gaps = shots.flatMap((count) => {
      const missing = datasets.filter((dataset) => row.cell(dataset, count) === undefined)
      return missing.length === 0 || missing.length === datasets.length ? [] : [{ count, missing: missing.join(', ') }]
    })
    return [...groupBy(gaps, ({ missing }) => missing)].map(
      ([missing, at]) =>
        `${row.label}: no average at ${at.map(({ count }) => count).join(', ')} shots: no runs on ${missing}.`,
    )
  })
}

function figures(group: Group, name: string, reference: Reference): Block[] {
  const shown = figureRows(group)
  const learns = group.shots.filter((shots) => shots !== 0)
  const curves = shown.length > 0 && learns.length > 1 ? [fewShotFigure(group, shown, name, reference)] : []
  return [...curves, ...gainFigures(group, shown, name)]
}

/** Of rows that differ in context length or start alone, the random one of most vectors: the others have their own figures. */
function figureRows({ rows }: Group): Row[] {
  const learned = rows.filter(({ runs }) => runs.some(({ shots }) => shots !== 0))
  const families = groupBy(learned, ({ method, settings: { M: _, init: __, ...rest }, views }) =>
    canonicalJson([method, rest, views]),
  )
  const best = [...families.values()].map((family) => {
    const random = family.filter(({ settings }) => (settings.init ?? null) === null)
    const vectors = ({ settings }: Row) => (typeof settings.M === 'number' ? settings.M : 0)
    return (random.length > 0 ? random : family).reduce((a, b) => (vectors(b) > vectors(a) ? b : a))
  })
  return learned.filter((row) => best.includes(row))
}

/** As the paper's Figure 3: a panel a data set, the average first. */
function fewShotFigure(group: Group, rows: readonly Row[], name: string, reference: Reference): Figure {
  const zeroShot = zeroShotRow(group)
  const learns = group.shots.filter((shots) => shots !== 0)
  const styles = stylesOf(rows)
  const subjects = subjectsOf(group)
  const ordered = [...subjects.filter(({ isAverage }) => isAverage), ...subjects.filter(({ isAverage }) => !isAverage)]
  const panels = ordered.map((subject): Panel => {
    const ours = rows.map((row): Series => {
      const style = styles.get(row) ?? { colour: COLOURS.ink, marker: circle }
      return { label: row.label, ...style, points: pointsOf(subject, row, learns) }
    })
    const published = rows.map((row): Series => {
      const style = styles.get(row) ?? { marker: circle }
      const points = learns.flatMap((shots): Point[] => {
        const mean = reference.of(subject, row, shots)
        return mean === undefined ? [] : [{ x: shots, mean }]
      })
      return { ...style, label: PUBLISHED, colour: COLOURS.published, points }
    })
    const level = zeroShot && subject.cell(zeroShot, 0)
    const publishedStar = zeroShot && reference.of(subject, zeroShot, 0)
    return {
      title: subject.title,
      strong: subject.isAverage,
      levels: level && zeroShot ? [{ label: zeroShot.label, colour: COLOURS.zeroShot, value: level.mean }] : [],
      series: [...ours, ...published, publishedLevel(publishedStar)].filter(({ points }) => points.length > 0),
    }
  })
  return lineFigure(`${name}few-shot`, {
    title: 'Accuracy by training images per class',
    note: 'accuracy in % by images per class',
    stops: zeroShot ? [0, ...learns] : learns,
    panels: panels.filter(({ series }) => series.length > 0),
  })
}

const publishedLevel = (mean: number | undefined): Series => ({
  label: PUBLISHED,
  colour: COLOURS.published,
  marker: star,
  points: mean === undefined ? [] : [{ x: 0, mean }],
})

const PUBLISHED = 'published'

function pointsOf(subject: Subject, row: Row, learns: readonly RunShots[]): Point[] {
  return learns.flatMap((shots) => {
    const cell = subject.cell(row, shots)
    return cell ? [{ x: shots, mean: cell.mean, sd: cell.sd, ringed: cell.collapsed > 0 }] : []
  })
}

/** As the paper's Figure 4: points over zero-shot at most shots; with one data set, the methods against each other. */
function gainFigures(group: Group, rows: readonly Row[], name: string): Figure[] {
  const shots = mostShots(group)
  const zeroShot = zeroShotRow(group)
  if (zeroShot === undefined || shots === 0) return []
  const gain = (row: Row, subject: Subject): Bar[] => {
    const learned = subject.cell(row, shots)
    const start = subject.cell(zeroShot, 0)
    return learned && start ? [{ label: subject.title, value: learned.mean - start.mean }] : []
  }
  const subjects = subjectsOf(group).filter(({ isAverage }) => !isAverage)
  const over = `over ${zeroShot.label} at ${shotsText(shots)}`
  const [only] = subjects
  if (subjects.length === 1 && only) {
    const bars = rows.flatMap((row) => gain(row, only).map(({ value }) => ({ label: row.label, value })))
    const title = `Points gained ${over}, ${only.title}`
    return bars.length === 0 ? [] : [barFigure(`${name}gains`, title, bars)]
  }
  return rows.flatMap((row): Figure[] => {
    const bars = subjects.flatMap((subject) => gain(row, subject))
    const title = `Points that ${row.label} gains ${over}`
    const file = `${name}gains-${slug(row.label)}`
    return bars.length === 0 ? [] : [barFigure(file, title, bars)]
  })
}

export function lineFigure(name: string, chart: LineChart): Figure {
  return { kind: 'figure', name, title: chart.title, svg: lineChart(chart), html: linePanels(chart) }
}

const barFigure = (name: string, title: string, bars: readonly Bar[]): Figure => {
  return { kind: 'figure', name, title, svg: barChart(title, bars), html: barLines(title, bars) }
}

/** Words of a file's name. */
export const slug = (words: string): string =>
  words
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '') || 'x'
