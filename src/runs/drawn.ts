import { join } from 'node:path'
import type { Hooks } from '../base/progress.ts'
import { drawSubset } from '../data/fewshot.ts'
import { halfOf } from '../data/halves.ts'
import { type Dataset, exifOf, type Item } from '../data/items.ts'
import { mapLimited } from '../data/overlap.ts'
import { holdOutVal } from '../data/split.ts'
import { contentHash, hashOf } from '../node/content-hash.ts'
import { jsonObjectIfAny } from '../node/run-folder.ts'
import type { Job } from './job.ts'
import { RUN_FILES } from './run-folder.ts'

/** The data sets of jobs. */
export interface Datasets {
  dataset(job: Job, word: string, hooks: Hooks): Promise<Dataset>
}

/** What a job may draw from: with validation images, where its method chooses by them. */
export const partsOf = ({ validates }: Job, dataset: Dataset): Dataset => (validates ? holdOutVal(dataset) : dataset)

/** What a job learns from: drawn from all classes, as in the official code, and then halved. */
export function subsetOf(job: Job, dataset: Dataset): Dataset {
  const { shots, seed, split } = job
  const drawn = shots === 0 ? { train: [], val: [] } : drawSubset(partsOf(job, dataset), shots, seed)
  return halfOf({ ...dataset, ...drawn }, split)
}

/** Which pictures a job draws, by `train`, `val`, `test`, and the names of other data sets: how many, and a hash of content and labels. */
export type Drawn = Readonly<Record<string, string>>

const READ_AT_A_TIME = 16

/** Looks at the content of all pictures of a job, without a model; one that cannot be read counts as such. */
export async function drawnBy(job: Job, datasets: Datasets, hooks: Hooks): Promise<Drawn> {
  const dataset = await datasets.dataset(job, job.dataset, hooks)
  const { train, val } = subsetOf(job, dataset)
  const sets: [string, readonly Item[]][] = [
    ['train', train],
    ['val', val],
    ['test', halfOf(dataset, job.split).test],
  ]
  if (job.split === 'base') sets.push(['new', halfOf(dataset, 'new').test])
  for (const word of job.elsewhere) sets.push([word, (await datasets.dataset(job, word, hooks)).test])
  const drawn: [string, string][] = []
  for (const [name, items] of sets) drawn.push([name, await described(items)])
  return Object.fromEntries(drawn)
}

async function described(items: readonly Item[]): Promise<string> {
  const contents = await mapLimited(items, READ_AT_A_TIME, (item) =>
    contentHash(item.path, exifOf(item)).then(
      (hash) => [hash, item.label],
      () => ['unreadable', item.label],
    ),
  )
  return `${items.length} ${hashOf(JSON.stringify(contents))}`
}

/** What is no longer as it was when the run in a folder finished, a line for each: classes, and pictures by their content. */
export async function changesSince(folder: string, job: Job, datasets: Datasets, hooks: Hooks): Promise<string[]> {
  const file = join(folder, RUN_FILES.settings)
  const then = await jsonObjectIfAny(file)
  if (then === undefined) return [`${RUN_FILES.settings} is missing or damaged`]
  const now = await drawnBy(job, datasets, hooks)
  const { classNames } = halfOf(await datasets.dataset(job, job.dataset, hooks), job.split)
  return [...classChanges(textsIn(then.classNames), classNames), ...pictureChanges(Object(then.pictures), now)]
}

const textsIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])

function classChanges(then: readonly string[], now: Dataset['classNames']): string[] {
  const [before, after] = [new Set(then), new Set(now)]
  const added = now.filter((name) => !before.has(name)).map((name) => `the class "${name}" is new`)
  const gone = then.filter((name) => !after.has(name)).map((name) => `the class "${name}" is gone`)
  if (added.length + gone.length > 0) return [...added, ...gone]
  return then.join('\n') === now.join('\n') ? [] : ['the classes are in another order']
}

function pictureChanges(then: Readonly<Record<string, unknown>>, now: Drawn): string[] {
  const count = (text: unknown) => String(text ?? 0).split(' ')[0]
  return Object.entries(now).flatMap(([name, text]) => {
    if (then[name] === text) return []
    const [before, after] = [count(then[name]), count(text)]
    return [`${name}: ${before === after ? `other pictures (${after})` : `${before} pictures then, ${after} now`}`]
  })
}
