import { join } from 'node:path'
import { z } from 'zod'
import { anObject, checkArguments, someHooks, texts } from '../base/arguments.ts'
import { breathe } from '../base/breathe.ts'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { checkWritableFolder, withoutHome, writeFileAtomic } from '../node/files.ts'
import { figuresOf } from '../report/document.ts'
import { groupsOf } from '../report/groups.ts'
import { htmlDocument } from '../report/html.ts'
import { latexDocument } from '../report/latex.ts'
import { markdownDocument } from '../report/markdown.ts'
import { mergeRecords } from '../report/merge.ts'
import { runsCsv, summaryCsv } from '../report/record-csv.ts'
import { countsText, groupTitle, mainTable, sweepReport } from '../report/report.ts'
import type { FailedRun } from '../report/sweeps.ts'
import { tableText } from '../report/text.ts'
import { checkOutFolder } from './out-folder.ts'
import { readSweepFolder, type SweepFolder } from './sweep-folder.ts'
import { writeSweepEvents } from './tensorboard.ts'

/** Options of reportSweeps. */
export interface ReportChoice {
  /** Folder of the report; default: the sweep's, where there is one only. */
  readonly out?: string
  /** Write each figure as a file too. */
  readonly figures?: boolean
  /** Show the published figures where the setting is not the paper's. */
  readonly published?: boolean
  /** Also write the tables so, into report.tex. */
  readonly format?: 'latex'
  /** Leave out damaged results. */
  readonly skip?: boolean
  /** Write into a folder that holds other files; these stay. */
  readonly force?: boolean
  /** Folder for TensorBoard's event files. */
  readonly tensorboard?: string
}

/** What reportSweeps wrote and left out. */
export interface ReportResult {
  readonly runs: number
  readonly failed: readonly FailedRun[]
  readonly unfinished: readonly string[]
  /** Left out because their results are damaged. */
  readonly damaged: readonly string[]
  /** Ids of runs that ended at chance. */
  readonly collapsed: readonly string[]
  /** Files that were written. */
  readonly files: readonly string[]
  /** Main tables as text. */
  readonly tables: string
}

/**
 * Makes the report of one or several sweeps.
 * @throws FileError where a folder is no sweep, holds nothing finished, or a result is damaged; UsageError where results contradict
 */
export async function reportSweeps(
  folders: readonly string[],
  choice: ReportChoice = {},
  hooks: Hooks = {},
): Promise<ReportResult> {
  checkArguments('reportSweeps', { folders, choice, hooks }, { folders: texts, choice: anObject, hooks: someHooks })
  checkArguments('reportSweeps', { format: choice.format }, { format: FORMAT })
  const out = choice.out ?? (folders.length === 1 ? (folders[0] ?? '.') : DEFAULT_OUT)
  const read: SweepFolder[] = []
  for (const folder of [...new Set(folders)]) read.push(await readSweepFolder(folder, choice.skip ?? false, hooks))
  const records = mergeRecords(read.flatMap(({ found }) => found))
  checkAny(folders, records.length, read)
  await checkOutFolder(out, ['sweep', 'report'], choice)
  if (choice.tensorboard !== undefined) await checkWritableFolder(choice.tensorboard)

  const sweeps = read.map(({ found, ...sweep }) => ({ ...sweep, records: found.map(({ record }) => record) }))
  const document = sweepReport(records, sweeps, choice)
  await breathe()
  const groups = groupsOf(records)
  await breathe()
  const figures = choice.figures ? figuresOf(document) : []
  const files = new Map<string, string>([
    ['report.md', withoutHome(markdownDocument(document, choice.figures ? figurePath : undefined))],
    ['report.html', withoutHome(htmlDocument(document))],
    ...(choice.format === 'latex' ? ([['report.tex', latexDocument(document)]] as const) : []),
    ['report.csv', runsCsv(records)],
    ['summary.csv', summaryCsv(groups)],
    ...figures.map(({ name, svg }) => [figurePath(name), `${svg}\n`] as const),
  ])
  for (const [name, content] of files) await writeFileAtomic(join(out, name), content)
  const events = choice.tensorboard === undefined ? [] : await writeSweepEvents(read, choice.tensorboard)

  const tables = groups.map((group) => {
    const title = groups.length > 1 ? `${groupTitle(group, groups)}\n` : ''
    return title + tableText(mainTable(group))
  })
  return {
    runs: records.length,
    failed: read.flatMap(({ failed }) => failed),
    unfinished: read.flatMap(({ unfinished }) => unfinished),
    damaged: read.flatMap(({ damaged }) => damaged),
    collapsed: records.flatMap(({ id, collapsed }) => (collapsed ? [id] : [])),
    files: [...[...files.keys()].map((name) => join(out, name)), ...events],
    tables: [...tables, countsText(records, sweeps)].join('\n\n'),
  }
}

const FORMAT = z.enum(['latex'], { error: 'latex' }).optional()
const DEFAULT_OUT = 'report'
const figurePath = (name: string): string => `figures/${name}.svg`

function checkAny(folders: readonly string[], records: number, read: readonly SweepFolder[]): void {
  if (folders.length === 0) throw new UsageError('no sweep folder given', 'coop-ts report OUT')
  if (records > 0) return
  const failed = read.flatMap((sweep) => sweep.failed)
  const [first] = failed
  const counts = `${failed.length} failed, ${read.flatMap(({ unfinished }) => unfinished).length} not finished`
  throw new FileError(
    `no run in ${folders.join(', ')} has finished: ${counts}${first ? `; the first failure, ${first.id}: ${first.message}` : ''}`,
    first?.remedy ?? 'finish the sweep: coop-ts sweep PLAN --out OUT continues where it stopped',
  )
}
