import { countOf } from '../../base/count.ts'
import { shotsText } from '../../data/fewshot.ts'
import type { MeasuredRecord } from '../../trained/record.ts'
import { canonicalJson, compareText, groupBy, unique } from '../canonical.ts'
import { percentText } from '../cells.ts'
import { type Block, groupedTable, heading, list, plainTable, text } from '../document.ts'
import type { Group } from '../groups.ts'
import type { Summary } from '../statistics.ts'
import { took } from '../text.ts'

const PICTURES = {
  '2021-10': "as today's official code does: short side to size, centre crop; random resized crop in training",
  '2021-09': 'as the official code did before October 2021: squashed to a square; random translation in training',
} as const

/** What all runs of a group share. */
export function settingBlock({ model, transforms, split, rows }: Group): Block {
  const runs = rows.flatMap((row) => row.runs)
  const names = unique(runs.map((run) => run.model.name)).sort(compareText)
  const architecture = model.architecture ? `, ${model.architecture}` : ''
  const seeds = unique(runs.filter(({ shots }) => shots !== 0).map(({ seed }) => seed)).sort((a, b) => a - b)
  return list([
    `Model: ${names.join(', ')}${architecture}, fingerprint ${model.fingerprint}.`,
    `Pictures: ${transforms}, ${PICTURES[transforms]}.`,
    `Classes: ${split === 'all' ? 'all' : 'learned from the first half of the classes'}.`,
    ...(seeds.length > 0 ? [`Seeds: ${seeds.join(', ')}.`] : []),
  ])
}

/** Every setting of each row; what differs between rows is seen here. */
export function settingsTable({ rows }: Group): Block[] {
  const lines = rows.map(({ label, settings, chosen, views, runs }) => {
    const words = Object.entries(settings).map(settingText).sort(compareText).join(', ')
    return [label, [words || '–', ...ownSettings(settings, runs)].join('; '), chosen, viewsText(views)]
  })
  return [
    heading(3, 'Settings'),
    text(CHOSEN),
    plainTable(['method', 'settings', 'how settings were chosen', 'training pictures'], 4, lines),
  ]
}

const CHOSEN =
  'How settings were chosen: fixed before the task was seen; cross-validated on the shots themselves; by a few validation images a class ' +
  '(few-shot val), by all of them (full val), or by the test images, as the official code does on ImageNet.'

const settingText = ([key, value]: readonly [string, unknown]): string =>
  `${key}=${typeof value === 'string' ? value : canonicalJson(value)}`

/** What the plan has otherwise for single data sets. */
function ownSettings(settings: Readonly<Record<string, unknown>>, runs: readonly MeasuredRecord[]): string[] {
  const own = groupBy(
    runs.filter(({ planned }) => planned),
    ({ dataset }) => dataset,
  )
  return [...own].flatMap(([dataset, [run]]) => {
    const other = Object.entries(run?.settings ?? {}).filter(
      ([key, value]) => canonicalJson(value ?? null) !== canonicalJson(settings[key] ?? null),
    )
    return `on ${dataset}: ${other.map(settingText).sort(compareText).join(', ')}`
  })
}

const viewsText = (views: MeasuredRecord['views']): string =>
  views === 'online' ? 'a new view each epoch' : views === 0 ? 'unchanged' : `${countOf(views, 'view')} each`

/** Every mean with its interval. */
export function meansTable(group: Group): Block[] {
  const lines = group.datasets.flatMap((dataset) =>
    group.rows.flatMap((row) =>
      group.shots.flatMap((shots) => {
        const cell = row.cell(dataset, shots)
        if (cell === undefined) return []
        const { n, mean, sd, official, collapsed } = cell
        const spread = [sd?.toFixed(2) ?? '', intervalText(cell)]
        const theirs = [official?.sd.toFixed(2) ?? '', official ? `± ${official.half.toFixed(2)}` : '']
        const figures = [String(n), mean.toFixed(2), ...spread, ...theirs, collapsed > 0 ? String(collapsed) : '']
        return [[dataset, row.label, String(shots), ...figures]]
      }),
    ),
  )
  const spread = ['sd', '95 % interval', 'sd (n)', '1.96 sd (n) / √n']
  const head = ['data set', 'method', 'shots', 'seeds', 'mean', ...spread, 'collapsed']
  return [
    heading(3, 'All means'),
    text(
      'Accuracy in %; sd is the sample standard deviation over seeds (n - 1), the interval is that of the mean by Student’s t, from ' +
        'three seeds on and within 0 to 100 %. The two columns after it are what the official scripts print: the population deviation ' +
        '(n), and 1.96 times that over √n, which for few seeds is too narrow.',
    ),
    groupedTable(head, 2, lines),
  ]
}

/** Ends of an interval, or why there is none. */
export const intervalText = ({ n, interval }: Summary): string =>
  interval ? interval.map((end) => end.toFixed(2)).join(' to ') : n > 1 ? 'too few seeds' : ''

/** Steps and time of each method. */
export function costTable({ rows }: Group): Block[] {
  const lines = rows.map(({ label, runs }) => {
    const [steps, seconds] = [total(runs, 'steps'), total(runs, 'seconds')]
    const each = (seconds / runs.length).toFixed(1)
    return [label, String(runs.length), String(steps), took(seconds), `${each} s`]
  })
  return [heading(3, 'Cost'), plainTable(['method', 'runs', 'steps in all', 'time in all', 'a run'], 1, lines)]
}

const total = (runs: readonly MeasuredRecord[], what: 'steps' | 'seconds'): number =>
  runs.reduce((sum, run) => sum + run[what], 0)

/** Runs that ended at chance. */
export function collapsedBlocks(records: readonly MeasuredRecord[]): Block[] {
  const collapsed = records.filter((run) => run.collapsed)
  if (collapsed.length === 0) return []
  const lines = collapsed.map((run) => [
    run.id,
    run.dataset,
    run.title,
    String(run.shots),
    String(run.seed),
    percentText(100 * run.accuracy),
    run.loss ? `${run.loss.first.toFixed(3)} to ${run.loss.last.toFixed(3)}` : '',
  ])
  return [
    heading(2, 'Runs that collapsed'),
    text(
      `${collapsed.length} of ${countOf(records.length, 'run')} ended at chance: no better than guessing. They are part of the means above, marked with †.`,
    ),
    plainTable(['run', 'data set', 'method', 'shots', 'seed', 'accuracy in %', 'loss, first to last'], 3, lines),
  ]
}

/** Versions and machines; a mean over several versions is named. */
export function environmentBlocks(records: readonly MeasuredRecord[], groups: readonly Group[]): Block[] {
  const kinds = groupBy(records, ({ environment: { date: _, command: __, ...rest } }) => canonicalJson(rest))
  const lines = [...kinds.values()]
    .flatMap((runs) => {
      const [first] = runs
      if (!first) return []
      const { coop, onnxruntime, node, platform, cpu, threads, device } = first.environment
      const dates = runs.map(({ environment }) => environment.date.slice(0, 10)).sort()
      const when = unique([dates[0] ?? '', dates.at(-1) ?? '']).join(' to ')
      return [[coop, onnxruntime, node, platform, cpu, device, String(threads), String(runs.length), when]]
    })
    .sort((a, b) => compareText(a.join(), b.join()))
  const head = ['coop-ts', 'onnxruntime', 'Node', 'platform', 'processor', 'device', 'threads', 'runs', 'ended']
  return [heading(2, 'Environment'), plainTable(head, 6, lines), ...versionNotes(groups)]
}

function versionNotes(groups: readonly Group[]): Block[] {
  const mixed = groups.flatMap((group) =>
    group.rows.flatMap((row) =>
      group.datasets.flatMap((dataset) =>
        group.shots.flatMap((shots) => {
          const cell = row.cell(dataset, shots)
          const versions = unique(cell?.runs.map(({ environment }) => environment.coop) ?? []).sort(compareText)
          return versions.length > 1
            ? [`${dataset}, ${row.label}, ${shotsText(shots)}: versions ${versions.join(', ')}`]
            : []
        }),
      ),
    ),
  )
  if (mixed.length === 0) return []
  const shown = mixed.slice(0, MAX_LISTED)
  const more = mixed.length > shown.length ? [`and ${mixed.length - shown.length} more`] : []
  return [text('Means over runs of different versions of coop-ts:'), list([...shown, ...more])]
}

const MAX_LISTED = 20
