import { countOf } from '../base/count.ts'
import { shotsText } from '../data/fewshot.ts'
import type { MeasuredRecord } from '../trained/record.ts'
import { compareText, groupBy } from './canonical.ts'
import { cellText, mostShots, percentText, subjectsOf } from './cells.ts'
import { type Block, code, type Document, heading, list, type Table, text } from './document.ts'
import { type Group, groupsOf, zeroShotRow } from './groups.ts'
import { referenceOf } from './reference.ts'
import { backboneSection, contextLengthSection, ensembleSection, startSection } from './sections/analyses.ts'
import {
  collapsedBlocks,
  costTable,
  environmentBlocks,
  meansTable,
  settingBlock,
  settingsTable,
} from './sections/details.ts'
import { baseToNewSection, baseToNewTable, elsewhereSections } from './sections/elsewhere.ts'
import { accuracyTable, fewShotSection, slug } from './sections/few-shot.ts'
import { pairedSection } from './sections/paired.ts'
import { orientationSection, publishedSection } from './sections/published.ts'
import type { SweepRuns } from './sweeps.ts'
import { took } from './text.ts'

export interface ReportOptions {
  /** Also show the published figures where the setting is not the paper's. */
  readonly published?: boolean
}

/** Everything that sweeps left, as one document. The same runs give the same document. */
export function sweepReport(
  records: readonly MeasuredRecord[],
  sweeps: readonly SweepRuns[],
  { published }: ReportOptions,
): Document {
  const groups = groupsOf(records)
  const blocks = [
    text(countsText(records, sweeps)),
    ...failureBlocks(sweeps),
    ...groups.flatMap((group) => groupBlocks(group, groups)),
    ...backboneSection(groups),
    ...(published ? orientationSection(groups) : []),
    ...collapsedBlocks(records),
    ...environmentBlocks(records, groups),
    ...reproduction(sweeps),
  ]
  return { title: `Report of ${sweeps.map(({ name }) => name).join(', ')}`, answer: answerOf(groups), blocks }
}

/** What did best, where most runs are: on average or on its only data set, at most shots. */
function answerOf(groups: readonly Group[]): string | undefined {
  const runsOf = ({ rows }: Group) => rows.reduce((sum, { runs }) => sum + runs.length, 0)
  const [group] = [...groups].sort((a, b) => runsOf(b) - runsOf(a))
  const subject = group && (subjectsOf(group).find(({ isAverage }) => isAverage) ?? subjectsOf(group)[0])
  if (group === undefined || subject === undefined) return undefined
  const shots = mostShots(group)
  const measured = group.rows.flatMap((row) => {
    const cell = subject.cell(row, shots) ?? subject.cell(row, 0)
    return cell === undefined ? [] : [{ row, cell }]
  })
  const [best] = measured.sort((a, b) => b.cell.mean - a.cell.mean)
  if (best === undefined) return undefined
  const where = subject.isAverage ? `On ${subject.title.replace(/^A/, 'a')}` : `On ${subject.title}`
  const learned = best.row.runs.some((run) => run.shots !== 0)
  const at = learned ? ` at ${shotsText(shots)}` : ''
  const words = groups.length > 1 ? ` (${groupTitle(group, groups)})` : ''
  const start = `${where}${words}, ${best.row.label} does best${at}: ${cellText(best.cell)} %`
  const byHand = zeroShotRow(group)
  const other = byHand && measured.find(({ row }) => row === byHand)
  if (other === undefined || other === best) return `${start}.`
  const gained = percentText(best.cell.mean - other.cell.mean)
  return `${start}, ${gained} points above hand-written prompts (${percentText(other.cell.mean)} %).`
}

/** The table that says most about a group. */
export const mainTable = (group: Group): Table =>
  group.split === 'base' ? baseToNewTable(group) : accuracyTable(group)

/** How many runs there are, failed, and are not finished. */
export function countsText(records: readonly MeasuredRecord[], sweeps: readonly SweepRuns[]): string {
  const failed = sweeps.flatMap((sweep) => sweep.failed).length
  const unfinished = sweeps.flatMap((sweep) => sweep.unfinished).length
  const seconds = records.reduce((sum, run) => sum + run.seconds, 0)
  const parts = [`${countOf(records.length, 'run')} finished`, `${failed} failed`, `${unfinished} not finished`]
  return `${parts.join(', ')}. The finished ones took ${took(seconds)} in all (sum over runs).`
}

function failureBlocks(sweeps: readonly SweepRuns[]): Block[] {
  const failed = sweeps.flatMap((sweep) => sweep.failed)
  if (failed.length === 0) return []
  const alike = groupBy(failed, ({ message, remedy }) => (remedy ? `${message}; ${remedy}` : message))
  const lines = [...alike].map(([words, runs]) => `${runs.map(({ id }) => id).join(', ')}: ${words}`)
  return [heading(2, 'Runs that failed'), list(lines.sort(compareText))]
}

/** What tells a group from the others, in a heading. */
export function groupTitle({ model, transforms, split }: Group, groups: readonly Group[]): string {
  const name = model.architecture ? `${model.name} (${model.architecture})` : model.name
  const alike = groups.filter((group) => group.model.name === model.name)
  const fingerprints = new Set(alike.map((group) => group.model.fingerprint))
  return [
    name,
    ...(fingerprints.size > 1 ? [`fingerprint ${model.fingerprint.slice(0, 8)}`] : []),
    `pictures of ${transforms}`,
    ...(split === 'base' ? ['base classes'] : []),
  ].join(', ')
}

function groupBlocks(group: Group, groups: readonly Group[]): Block[] {
  const title = groupTitle(group, groups)
  const file = groups.length > 1 ? `${slug(title)}-` : ''
  const reference = referenceOf(group)
  const results =
    group.split === 'base'
      ? baseToNewSection(group)
      : [
          ...fewShotSection(group, file, reference),
          ...publishedSection(group, reference),
          ...contextLengthSection(group, file),
          ...startSection(group),
          ...ensembleSection(group),
        ]
  return [
    heading(2, title),
    settingBlock(group),
    ...results,
    ...elsewhereSections(group),
    ...meansTable(group),
    ...pairedSection(group),
    ...settingsTable(group),
    ...costTable(group),
  ]
}

function reproduction(sweeps: readonly SweepRuns[]): Block[] {
  const blocks = sweeps.flatMap(({ name, plan }): Block[] => {
    if (plan === undefined) return []
    return [text(`${name}, by this plan:`), code('coop-ts sweep plan.yaml --out OUT'), code(plan)]
  })
  return blocks.length === 0 ? [] : [heading(2, 'How to reproduce it'), ...blocks]
}
