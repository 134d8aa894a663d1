import type { RunShots } from '../data/fewshot.ts'
import type { MeasuredRecord } from '../trained/record.ts'
import { canonicalJson, compareText, unique } from './canonical.ts'
import { subjectsOf } from './cells.ts'
import { type CsvCell, csv } from './csv.ts'
import type { Cell, Group, Row } from './groups.ts'
import { referenceOf } from './reference.ts'
import { cellElsewhere } from './sections/elsewhere.ts'

/** A line a finished run; accuracies in %. */
export function runsCsv(records: readonly MeasuredRecord[]): string {
  const targets = unique(records.flatMap(({ elsewhere }) => Object.keys(elsewhere))).sort(compareText)
  const columns: readonly (readonly [string, (run: MeasuredRecord) => CsvCell])[] = [
    ['id', (run) => run.id],
    ['dataset', (run) => run.dataset],
    ['classes', (run) => run.classes],
    ['split', (run) => run.split],
    ['method', (run) => run.method],
    ['title', (run) => run.title],
    ['settings', (run) => canonicalJson(run.settings)],
    ['shots', (run) => run.shots],
    ['seed', (run) => run.seed],
    ['model', (run) => run.model.name],
    ['fingerprint', (run) => run.model.fingerprint],
    ['architecture', (run) => run.model.architecture],
    ['transforms', (run) => run.transforms],
    ['views', (run) => run.views],
    ['accuracy', (run) => digits(100 * run.accuracy)],
    ['top5', (run) => optionalDigits(run.top5, 100)],
    ['mean_per_class', (run) => optionalDigits(run.meanPerClass, 100)],
    ['chosen', (run) => run.chosen],
    ...targets.map((target) => [`accuracy on ${target}`, accuracyOn(target)] as const),
    ['collapsed', (run) => run.collapsed],
    ['loss_first', (run) => run.loss?.first],
    ['loss_last', (run) => run.loss?.last],
    ['steps', (run) => run.steps],
    ['seconds', (run) => run.seconds],
    ['coop', (run) => run.environment.coop],
    ['onnxruntime', (run) => run.environment.onnxruntime],
    ['node', (run) => run.environment.node],
    ['platform', (run) => run.environment.platform],
    ['cpu', (run) => run.environment.cpu],
    ['threads', (run) => run.environment.threads],
    ['device', (run) => run.environment.device],
    ['date', (run) => run.environment.date],
  ]
  return csv(
    columns.map(([title]) => title),
    records.map((run) => columns.map(([, value]) => value(run))),
  )
}

const accuracyOn =
  (target: string) =>
  ({ elsewhere }: MeasuredRecord): CsvCell => {
    const accuracy = elsewhere[target]
    return accuracy === undefined ? undefined : digits(100 * accuracy)
  }

/** Without the noise of binary fractions. */
const digits = (value: number): number => Number(value.toFixed(6))

const optionalDigits = (value: number | null | undefined, times = 1): number | undefined =>
  value == null ? undefined : digits(times * value)

const SUMMARY_TITLES = [
  'model',
  'fingerprint',
  'transforms',
  'split',
  'dataset',
  'measured_on',
  'method',
  'label',
  'settings',
  'chosen',
  'views',
  'shots',
  'n',
  'mean',
  'sd',
  'interval_low',
  'interval_high',
  'official_sd',
  'official_interval_half',
  'collapsed',
  'published',
]

/** A line for each mean: on the data set learned from, elsewhere, and on average; in %. */
export function summaryCsv(groups: readonly Group[]): string {
  const lines = groups.flatMap((group) => {
    const reference = referenceOf(group)
    return subjectsOf(group).flatMap((subject) =>
      group.rows.flatMap((row) =>
        group.shots.flatMap((shots) => {
          const cell = subject.cell(row, shots)
          if (cell === undefined) return []
          const dataset = subject.isAverage ? 'average' : subject.title
          const own = summaryLine(group, row, dataset, dataset, shots, cell, reference.of(subject, row, shots))
          const targets = unique(cell.runs.flatMap(({ elsewhere }) => Object.keys(elsewhere))).sort(compareText)
          const others = targets.flatMap((target) => {
            const there = subject.isAverage ? undefined : cellElsewhere(cell, target)
            return there ? [summaryLine(group, row, dataset, target, shots, there, undefined)] : []
          })
          return [own, ...others]
        }),
      ),
    )
  })
  return csv(SUMMARY_TITLES, lines)
}

function summaryLine(
  { model, transforms, split }: Group,
  { method, label, settings, chosen, views }: Row,
  dataset: string,
  target: string,
  shots: RunShots,
  { n, mean, sd, interval, official, collapsed }: Cell,
  published: number | undefined,
): CsvCell[] {
  const spread = [sd, interval?.[0], interval?.[1], official?.sd, official?.half].map((value) => optionalDigits(value))
  const figures = [n, digits(mean), ...spread, collapsed]
  const about = [method, label, canonicalJson(settings), chosen, views, shots]
  return [
    model.name,
    model.fingerprint,
    transforms,
    split,
    dataset,
    target,
    ...about,
    ...figures,
    optionalDigits(published),
  ]
}
