import { type RunShots, shotsRank, shotsText } from '../../data/fewshot.ts'
import { canonicalJson, compareText, groupBy, unique } from '../canonical.ts'
import { cellText, mostShots, rowsAt, subjectsOf, usualSeeds } from '../cells.ts'
import { type Block, type Figure, groupedTable, heading, plainTable, text } from '../document.ts'
import type { Group, Row } from '../groups.ts'
import { circle, type Panel, type Point } from '../line-chart.ts'
import { ramp } from '../line-styles.ts'
import { lineFigure, slug } from './few-shot.ts'

const startOf = ({ settings }: Row): string | null => (typeof settings.init === 'string' ? settings.init : null)
const vectorsOf = ({ settings }: Row): number | undefined => (typeof settings.M === 'number' ? settings.M : undefined)

/** Random starts first, with few vectors before many. */
const byStart = (a: Row, b: Row): number =>
  Number(startOf(a) !== null) - Number(startOf(b) !== null) || (vectorsOf(a) ?? 0) - (vectorsOf(b) ?? 0)

/** Rows that differ in these settings alone. */
function families(rows: readonly Row[], free: readonly string[]): Row[][] {
  const keyOf = ({ method, settings, views }: Row) =>
    canonicalJson([
      method,
      Object.entries(settings)
        .filter(([key]) => !free.includes(key))
        .sort(([a], [b]) => compareText(a, b)),
      views,
    ])
  return [...groupBy(rows, keyOf).values()]
}

/** Accuracy over the number of context vectors, a line for each number of shots. */
export function contextLengthSection(group: Group, name: string): Block[] {
  const random = group.rows.filter((row) => vectorsOf(row) !== undefined && startOf(row) === null)
  const found = families(random, ['M']).filter((family) => new Set(family.map(vectorsOf)).size > 1)
  const figures = found.flatMap((family) => contextFigure(group, family, name))
  return figures.length === 0 ? [] : [heading(3, 'Context length'), ...figures]
}

function contextFigure(group: Group, family: readonly Row[], name: string): Figure[] {
  const shots = group.shots.filter((count) => count !== 0)
  const colours = ramp(shots.length)
  const lengths = unique(family.flatMap((row) => vectorsOf(row) ?? [])).sort((a, b) => a - b)
  const what = familyName(family)
  const panels = subjectsOf(group).map((subject): Panel => {
    const series = shots.map((count, i) => {
      const points = family.flatMap((row): Point[] => {
        const cell = subject.cell(row, count)
        const x = vectorsOf(row)
        return cell && x !== undefined ? [{ x, mean: cell.mean, sd: cell.sd, ringed: cell.collapsed > 0 }] : []
      })
      return { label: shotsText(count), colour: colours[i] ?? '', marker: circle, points }
    })
    return {
      title: subject.title,
      strong: subject.isAverage,
      levels: [],
      series: series.filter(({ points }) => points.length > 0).reverse(),
    }
  })
  const shown = panels.filter(({ series }) => series.length > 0)
  const title = `Accuracy over context length, ${what}`
  const chart = { title, note: `${what}: accuracy in % over context vectors`, stops: lengths, panels: shown }
  return [lineFigure(`${name}context-length-${slug(what)}`, chart)]
}

/** What the titles of all rows of a family begin with. */
function familyName(family: readonly Row[]): string {
  const [shortest = ''] = family.map(({ label }) => label).sort((a, b) => a.length - b.length)
  return shortest.replace(/, (M=\d+|from ".*")$/, '')
}

/** Random vectors against words as a start, at most shots. */
export function startSection(group: Group): Block[] {
  const shots = mostShots(group)
  const learned = rowsAt(group, shots).filter(({ settings }) => 'init' in settings)
  const found = families(learned, ['M', 'init']).filter(
    (family) => family.some((row) => startOf(row) === null) && family.some((row) => startOf(row) !== null),
  )
  if (found.length === 0) return []
  const usual = usualSeeds(group)
  const subjects = subjectsOf(group)
  const lines = found.flatMap((family) =>
    [...family].sort(byStart).map((row) => {
      const start = startOf(row)
      const words = start === null ? `random, M=${vectorsOf(row)}` : `"${start}"`
      return [familyName(family), words, ...subjects.map((subject) => cellText(subject.cell(row, shots), usual))]
    }),
  )
  return [
    heading(3, 'Random start or words'),
    text(`Accuracy in % at ${shotsText(shots)}.`),
    groupedTable(['method', 'start', ...subjects.map(({ title }) => title)], 2, lines),
  ]
}

/** Hand-written prompts: one, or several averaged. */
export function ensembleSection(group: Group): Block[] {
  const rows = group.rows.filter(({ method }) => method === 'zero-shot')
  if (rows.length < 2) return []
  const subjects = subjectsOf(group)
  const lines = rows.map((row) => [row.label, ...subjects.map((subject) => cellText(subject.cell(row, 0)))])
  return [
    heading(3, 'Hand-written prompts'),
    text('Accuracy in % without learning.'),
    plainTable(['prompts', ...subjects.map(({ title }) => title)], 1, lines),
  ]
}

/** The encoders that the paper compares, in its order; others follow. */
const BACKBONES = ['RN50', 'RN101', 'ViT-B/32', 'ViT-B/16']

/** Methods on several models, for groups that differ in their model alone. */
export function backboneSection(groups: readonly Group[]): Block[] {
  const comparable = groupBy(
    groups.filter(({ split }) => split === 'all'),
    ({ transforms }) => transforms,
  )
  return [...comparable].flatMap(([transforms, alike]) => {
    if (alike.length < 2) return []
    const shots = mostShared(alike)
    const models = [...alike].sort(
      (a, b) => rankOf(a) - rankOf(b) || compareText(columnOf(a, alike), columnOf(b, alike)),
    )
    const keyOf = ({ method, settings, views }: Row) => canonicalJson([method, settings, views])
    const rows = unique(alike.flatMap(({ rows }) => rows.map(keyOf)))
    const shared = unique(alike.flatMap(({ datasets }) => datasets)).filter((dataset) =>
      alike.every(({ datasets }) => datasets.includes(dataset)),
    )
    const lines = subjectsOf({ datasets: shared, averaged: alike.every(({ averaged }) => averaged) }).flatMap(
      (subject) =>
        rows.flatMap((key) => {
          const each = models.map((group) => {
            const row = group.rows.find((candidate) => keyOf(candidate) === key)
            const cell = row && (subject.cell(row, shots) ?? subject.cell(row, 0))
            return { label: row?.label, cell: cellText(cell, usualSeeds(group)) }
          })
          if (each.filter(({ cell }) => cell !== '').length < 2) return []
          return [
            [
              subject.title,
              each.find(({ label }) => label !== undefined)?.label ?? '',
              ...each.map(({ cell }) => cell),
            ],
          ]
        }),
    )
    if (lines.length === 0) return []
    return [
      heading(2, 'Backbones'),
      text(
        `Accuracy in % at ${shotsText(shots)}, or without learning; pictures as of ${transforms}; only data sets that all models have.`,
      ),
      groupedTable(['data set', 'method', ...models.map((group) => columnOf(group, alike))], 2, lines),
    ]
  })
}

const rankOf = ({ model }: Group): number => {
  const rank = BACKBONES.indexOf(model.architecture ?? '')
  return rank === -1 ? BACKBONES.length : rank
}

function columnOf({ model }: Group, groups: readonly Group[]): string {
  const name = model.architecture ?? model.name
  const alike = groups.filter((group) => (group.model.architecture ?? group.model.name) === name)
  return alike.length > 1 ? `${name} (${model.name}, ${model.fingerprint.slice(0, 8)})` : name
}

/** Most shots that at least two groups have. */
function mostShared(groups: readonly Group[]): RunShots {
  const counts = unique(groups.flatMap(({ shots }) => shots))
  const shared = counts.filter((count) => groups.filter(({ shots }) => shots.includes(count)).length > 1)
  return shared.sort((a, b) => shotsRank(b) - shotsRank(a))[0] ?? 0
}
