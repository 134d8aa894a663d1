import { UsageError } from '../base/errors.ts'
import { shotsText } from '../data/fewshot.ts'
import type { MeasuredRecord } from '../trained/record.ts'
import { canonicalJson, compareText, groupBy } from './canonical.ts'

/** A record and the file it was read from. */
export interface FoundRecord {
  readonly record: MeasuredRecord
  readonly file: string
}

/**
 * The runs of several sweeps, each once, in the order of their ids. Runs of one setting and seed that differ only in where
 * else they were measured are one.
 *
 * @throws UsageError naming both files where two runs of one setting and seed have different results
 */
export function mergeRecords(found: readonly FoundRecord[]): MeasuredRecord[] {
  const sorted = [...found].sort((a, b) => compareText(a.record.id, b.record.id) || compareText(a.file, b.file))
  for (const same of groupBy(sorted, ({ record }) => record.id).values()) checkSame(same, settingOf)
  const runs = [...groupBy(sorted, ({ record }) => canonicalJson(settingOf(record))).values()]
  return runs.flatMap((same) => {
    checkSame(same, resultOf)
    const [first] = same
    if (first === undefined) return []
    const elsewhere = Object.assign({}, ...same.map(({ record }) => record.elsewhere).reverse())
    return [{ ...first.record, elsewhere }]
  })
}

/** All that decides a run's numbers, with the model. */
const DECIDE = ['dataset', 'classes', 'split', 'method', 'settings', 'shots', 'seed', 'transforms', 'views'] as const

const settingOf = (record: MeasuredRecord) => [record.model.fingerprint, ...DECIDE.map((key) => record[key])]

const resultOf = ({ accuracy, collapsed, steps }: MeasuredRecord) => ({ accuracy, collapsed, steps })

function checkSame(found: readonly FoundRecord[], what: (record: MeasuredRecord) => unknown): void {
  const [first, ...others] = found
  for (const other of others) {
    if (first === undefined) return
    const elsewhere = Object.keys(other.record.elsewhere).filter((name) => {
      const value = first.record.elsewhere[name]
      return value !== undefined && value !== other.record.elsewhere[name]
    })
    if (canonicalJson(what(first.record)) === canonicalJson(what(other.record)) && elsewhere.length === 0) continue
    throw new UsageError(
      `two records of the same run differ:\n  ${first.file}: ${described(first.record)}\n  ${other.file}: ${described(other.record)}`,
      'report one of the two sweeps at a time, or remove the run that should not count',
    )
  }
}

const described = ({ id, accuracy, dataset, title, shots, seed, environment }: MeasuredRecord): string =>
  `${id}, accuracy ${accuracy} (${dataset}, ${title}, ${shotsText(shots)}, seed ${seed}, coop-ts ${environment.coop})`
