import { countOf } from '../base/count.ts'
import { smallest } from '../base/extremes.ts'
import { type RunShots, shotsRank } from '../data/fewshot.ts'
import { howChosen, METHODS } from '../methods/index.ts'
import type { MeasuredRecord } from '../trained/record.ts'
import { canonicalJson, compareText, groupBy, unique } from './canonical.ts'
import { meanOf, PERCENT, type Summary, summarise } from './statistics.ts'

/** Runs that may share a table: same model, same preprocessing of pictures. Nothing is ever averaged across groups. */
export interface Group {
  readonly model: MeasuredRecord['model']
  readonly transforms: MeasuredRecord['transforms']
  /** Classes learned from. */
  readonly split: MeasuredRecord['split']
  readonly rows: readonly Row[]
  /** Labels of the data sets of its runs. */
  readonly datasets: readonly string[]
  /** False where data sets of one name differ in their classes: a mean over them would mean nothing. */
  readonly averaged: boolean
  /** 0 first, where there is a method that learns from no images. */
  readonly shots: readonly RunShots[]
}

/** One method with one choice of settings and views; its runs differ in data set, shots and seed. */
export interface Row {
  /** Title of the method, and the settings that tell it from rows of the same title. */
  readonly label: string
  readonly method: string
  /** Those of the plan, where it has others for some data sets. */
  readonly settings: Readonly<Record<string, unknown>>
  /** How they were chosen, in words; empty where that is not known. */
  readonly chosen: string
  readonly views: MeasuredRecord['views']
  readonly runs: readonly MeasuredRecord[]
  /** Of one data set and number of shots; undefined where there is no run. */
  cell(dataset: string, shots: RunShots): Cell | undefined
}

/** Runs that differ in their seed alone. Figures are in %. */
export interface Cell extends Summary {
  readonly runs: readonly MeasuredRecord[]
  readonly collapsed: number
}

export function groupsOf(records: readonly MeasuredRecord[]): Group[] {
  const keyOf = ({ model, transforms, split }: MeasuredRecord) => canonicalJson([model.fingerprint, transforms, split])
  const groups = [...groupBy(records, keyOf)].flatMap(([key, runs]) => {
    const [first] = runs
    return first ? [{ key, first, runs }] : []
  })
  groups.sort((a, b) => compareText(a.first.model.name, b.first.model.name) || compareText(a.key, b.key))
  return groups.map(({ first, runs }) => groupOf(first, runs))
}

function groupOf({ model, transforms, split }: MeasuredRecord, runs: readonly MeasuredRecord[]): Group {
  const name = datasetLabels(runs)
  const keyOf = (run: MeasuredRecord) => canonicalJson([run.method, plannedSettings(run), run.views])
  const kinds = [...groupBy(runs, keyOf).values()].map((of) => {
    // those with the plan's own settings first: they name the row
    return [...of.filter(({ planned }) => !planned), ...of.filter(({ planned }) => planned)]
  })
  const firsts = kinds.flatMap(([first]) => (first ? [first] : []))
  const rows = kinds.flatMap((of): Row[] => {
    const [first] = of
    if (!first) return []
    const { method, views } = first
    const settings = plannedSettings(first)
    const keys = groupBy(of, (run) => `${run.shots} ${name(run)}`)
    const cells = new Map([...keys].map(([key, runs]) => [key, cellOf(runs)]))
    const cell = (dataset: string, shots: RunShots) => cells.get(`${shots} ${dataset}`)
    const chosen = unique(of.map(chosenOf)).join('; ')
    return [{ label: labelOf(first, firsts), method, settings, chosen, views, runs: of, cell }]
  })
  rows.sort((a, b) => rankOf(a.method) - rankOf(b.method) || specific(a) - specific(b) || compareText(a.label, b.label))
  const datasets = unique(runs.map(name)).sort(compareText)
  const shots = unique(runs.map((run) => run.shots)).sort((a, b) => shotsRank(a) - shotsRank(b))
  const averaged = datasets.length === new Set(runs.map(({ dataset }) => dataset)).size
  return { model, transforms, split, rows, datasets, averaged, shots }
}

/** A run's settings as its row has them: a plan may have others for its data set. */
const plannedSettings = ({ planned, settings }: MeasuredRecord) => planned ?? settings

/** How a run's settings were chosen; of records of earlier versions, how its method chooses where there are validation images. */
function chosenOf({ chosen, method, settings, shots }: MeasuredRecord): string {
  const known = METHODS.find(({ name }) => name === method)
  if (chosen !== undefined || known === undefined) return chosen ?? ''
  const val = shots === 'all' ? 'full val' : 'few-shot val'
  return known.settings.safeParse(settings).success ? howChosen(known, settings, val) : ''
}

/** In the order of METHODS, methods that are not known here last. */
function rankOf(method: string): number {
  const rank = METHODS.findIndex(({ name }) => name === method)
  return rank === -1 ? METHODS.length : rank
}

/** Contexts of each class come after those of all classes, as in the paper's figures. */
const specific = ({ settings }: Row): number => (settings.classSpecific === true ? 1 : 0)

/** How data sets are called: by name, and where the same name has several numbers of classes, by both. */
function datasetLabels(runs: readonly MeasuredRecord[]): (run: MeasuredRecord) => string {
  const counts = new Map(
    Array.from(
      groupBy(runs, ({ dataset }) => dataset),
      ([name, of]) => [name, new Set(of.map(({ classes }) => classes))],
    ),
  )
  return ({ dataset, classes }) => {
    const several = (counts.get(dataset)?.size ?? 0) > 1
    return several ? `${dataset} (${countOf(classes, 'class', 'classes')})` : dataset
  }
}

/** The title, and what tells this row from others of the same title. */
function labelOf(row: MeasuredRecord, rows: readonly MeasuredRecord[]): string {
  const alike = rows.filter(({ title, method }) => title === row.title && method === row.method)
  const keys = unique(alike.flatMap((run) => Object.keys(plannedSettings(run)))).sort(compareText)
  const differing = keys.filter(
    (key) => new Set(alike.map((run) => canonicalJson(settingOf(run, key) ?? null))).size > 1,
  )
  const words = differing.map((key) => `${key}=${written(settingOf(row, key))}`)
  if (new Set(alike.map(({ views }) => views)).size > 1) words.push(`views ${row.views}`)
  return words.length === 0 ? row.title : `${row.title} (${words.join(', ')})`
}

/** A key of a foreign file may be that of every object, such as `constructor`. */
function settingOf(run: MeasuredRecord, key: string): unknown {
  const settings = plannedSettings(run)
  return Object.hasOwn(settings, key) ? settings[key] : undefined
}

function written(value: unknown): string {
  if (value === undefined) return 'default'
  const text = typeof value === 'string' ? value : canonicalJson(value)
  // descriptions of a thousand classes
  return text.startsWith('{') && text.length > MAX_WRITTEN ? `${text.slice(0, MAX_WRITTEN)}...` : text
}

const MAX_WRITTEN = 60

/** Without images to draw, seeds make no difference: equal figures of several seeds are then one figure. */
function cellOf(runs: readonly MeasuredRecord[]): Cell {
  const values = runs.map(({ accuracy }) => 100 * accuracy)
  const same = runs.every(({ shots }) => shots === 0) && new Set(values).size === 1
  const collapsed = runs.filter((run) => run.collapsed).length
  return { ...summarise(same ? values.slice(0, 1) : values, PERCENT), runs, collapsed }
}

/**
 * The mean over all data sets of a group; undefined unless each has runs. Its deviation is that of the averages of each
 * seed, where all data sets have the same seeds; else it has none.
 */
export function average(row: Row, { datasets }: Pick<Group, 'datasets'>, shots: RunShots): Cell | undefined {
  const cells = datasets.map((dataset) => row.cell(dataset, shots)).filter((cell) => cell !== undefined)
  if (cells.length < datasets.length || cells.length === 0) return undefined
  const runs = cells.flatMap((cell) => cell.runs)
  const collapsed = cells.reduce((sum, cell) => sum + cell.collapsed, 0)
  const seeds = unique(runs.map(({ seed }) => seed)).sort((a, b) => a - b)
  const complete = cells.every((cell) => cell.n === seeds.length)
  if (complete) {
    const ofSeed = (seed: number) => runs.filter((run) => run.seed === seed).map(({ accuracy }) => 100 * accuracy)
    return {
      ...summarise(
        seeds.map((seed) => meanOf(ofSeed(seed))),
        PERCENT,
      ),
      runs,
      collapsed,
    }
  }
  const mean = meanOf(cells.map((cell) => cell.mean))
  return {
    n: smallest(cells.map(({ n }) => n)),
    mean,
    sd: undefined,
    interval: undefined,
    official: undefined,
    runs,
    collapsed,
  }
}

/** The hand-written prompts of the data sets, which learned ones are compared with. */
export function zeroShotRow({ rows }: Pick<Group, 'rows'>): Row | undefined {
  const found = rows.filter(({ method }) => method === 'zero-shot')
  return found.find(({ settings }) => settings.templates === undefined) ?? found[0]
}
