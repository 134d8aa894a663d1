import { countOf } from '../../base/count.ts'
import { UsageError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { visible } from '../../base/visible.ts'
import type { DatasetStatus, ListedDataset } from '../../datasets/official/status.ts'
import { OFFICIAL_DATASETS } from '../../datasets/official/table.ts'
import type { Counts } from '../../datasets/official/types.ts'
import { columns } from '../../report/text.ts'
import { defineCommand, type Outcome } from '../command.ts'
import { flags, type Settings, whole } from '../options.ts'
import { COMPUTING, root, seed } from '../shared-options.ts'

const shots = whole(1)
  .default(16)
  .register(flags, { flag: '--shots', argument: 'K', help: 'training images of each class' })

const options = { root, shots, seed, ...COMPUTING }

type Work = (name: string, settings: Settings<typeof options>, hooks: Hooks) => Promise<Outcome>

const subset: Work = async (name, settings, hooks) => {
  const { officialSubset } = await import('../../datasets/official/subset.ts')
  const drawn = await officialSubset(name, settings, hooks)
  const lines = (['train', 'val'] as const).flatMap((part) => drawn[part].map((path) => `${part}\t${visible(path)}`))
  return { json: drawn, text: lines.join('\n') }
}

const split: Work = async (name, settings) => {
  const { makeSplitFile } = await import('../../datasets/official/open.ts')
  const file = await makeSplitFile(name, settings)
  return { json: { file }, text: `wrote ${file}` }
}

/** What stands after `coop-ts datasets`. */
const WORKS = new Map(Object.entries({ subset, split }))

export const datasets = defineCommand({
  name: 'datasets',
  summary: "the paper's data sets: which you have, what is missing, which images a subset contains",
  details: [
    'coop-ts datasets lists them; with --root (or COOP_DATA) it also shows which it found, what is missing and where to get it, ' +
      'and compares the counts with the published ones.',
    'coop-ts datasets subset NAME prints the few-shot images that the official code draws with --shots and --seed, in the same order.',
    "coop-ts datasets split NAME writes a missing split file, made from the data set's annotation with --seed.",
  ].join('\n\n'),
  operands: [
    {
      name: 'subset|split',
      help: 'what to do; if left out, list the data sets',
      optional: true,
      values: [...WORKS.keys()],
    },
    {
      name: 'name',
      help: 'a data set, such as caltech101',
      optional: true,
      values: OFFICIAL_DATASETS.map(({ id }) => id),
    },
  ],
  examples: [
    'coop-ts datasets --root ~/data',
    'coop-ts datasets subset oxford_pets --root ~/data --shots 16 --seed 1 --json',
    'coop-ts datasets split food101 --root ~/data',
  ],
  options,
  async run(settings, [word, name], hooks) {
    if (word === undefined) {
      const { listDatasets } = await import('../../datasets/official/status.ts')
      return listing(await listDatasets(settings.root))
    }
    const work = WORKS.get(word)
    if (!work) {
      throw new UsageError(
        `coop-ts datasets has no subcommand "${word}"`,
        'use coop-ts datasets; coop-ts datasets subset NAME; coop-ts datasets split NAME',
      )
    }
    if (name === undefined)
      throw new UsageError(`coop-ts datasets ${word}: no data set given`, 'name one; coop-ts datasets lists them')
    return work(name, settings, hooks)
  },
})

function listing(sets: readonly ListedDataset[]): Outcome {
  const inspected = sets.some(({ status }) => status)
  return { json: { datasets: sets }, text: inspected ? sets.map(statusText).join('\n') : tableText(sets) }
}

function tableText(sets: readonly ListedDataset[]): string {
  const numbers = ({ counts: { classes, train, val, test } }: ListedDataset) =>
    [classes, train, val, test].map((count) => (count === undefined ? '-' : String(count)))
  const counts = columns([
    ['data set', 'classes', 'train', 'val', 'test'],
    ...sets.map((set) => [set.id, ...numbers(set)]),
  ])
  const ends = [['folder', 'prompt'], ...sets.map(({ folder, template }) => [folder, template])]
  return columns(
    counts.split('\n').map((line, i) => [line, ...(ends[i] ?? [])]),
    3,
  )
}

/** How each state is shown. */
const STATES: Readonly<Record<DatasetStatus['state'], string>> = {
  ready: 'ok',
  differs: 'not as published',
  incomplete: 'incomplete',
  absent: 'not found',
}

function statusText({ id, status }: ListedDataset): string {
  if (!status) return id
  const { state, split, counts, missing, problems, sources } = status
  const made = split === 'made' && counts ? ' (split made from the annotation)' : ''
  return [
    `${id.padEnd(16)}${STATES[state]}${counts ? `: ${countsText(counts)}${made}` : ''}`,
    ...problems.map((problem) => `  ${problem}`),
    ...missing.map((path) => `  missing: ${path}`),
    ...sources.map(({ what, url }) => `  get ${what}: ${url}`),
  ].join('\n')
}

function countsText({ classes, train, val, test }: Counts): string {
  const parts = [train, val, test].filter((count) => count !== undefined)
  return `${countOf(classes, 'class', 'classes')}, ${parts.join('/')} images`
}
