import { some } from '../base/count.ts'
import type { Hooks } from '../base/progress.ts'
import { sha256 } from '../base/sha256.ts'
import { checkLearnable, drawSubset, lackOfImages, type RunShots } from '../data/fewshot.ts'
import { halfOf } from '../data/halves.ts'
import { type Dataset, exifOf, type Item } from '../data/items.ts'
import { mapLimited } from '../data/overlap.ts'
import { holdOutVal } from '../data/split.ts'
import type { AnyMethod } from '../methods/index.ts'
import type { Job } from './job.ts'
import { givenHash } from './pictures.ts'
import type { PictureReader } from './reader.ts'

/** The data sets of jobs. */
export interface Datasets {
  dataset(job: Job, word: string, hooks: Hooks): Promise<Dataset>
}

/** What a job may draw from: with validation images, where its method chooses by them. */
export const partsOf = ({ validates }: Pick<Job, 'validates'>, dataset: Dataset): Dataset =>
  validates ? holdOutVal(dataset) : dataset

/** What a job learns from: drawn from all classes, as in the official code, and then halved. */
export function subsetOf(job: Pick<Job, 'shots' | 'seed' | 'split' | 'validates'>, dataset: Dataset): Dataset {
  const { shots, seed, split } = job
  const drawn = shots === 0 ? { train: [], val: [] } : drawSubset(partsOf(job, dataset), shots, seed)
  return halfOf({ ...dataset, ...drawn }, split)
}

/** Which pictures a job draws, by `train`, `val`, `test`, and the names of other data sets: how many, and a hash of content and labels. */
export type Drawn = Readonly<Record<string, string>>

const READ_AT_A_TIME = 16

/** Looks at the content of all pictures of a job, without a model; one that cannot be read counts as such. */
export async function drawnBy(reader: PictureReader, job: Job, datasets: Datasets, hooks: Hooks): Promise<Drawn> {
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
  for (const [name, items] of sets) drawn.push([name, await described(reader, items)])
  return Object.fromEntries(drawn)
}

/** Pictures by content and label: how many, and a hash. */
export async function described(reader: PictureReader, items: readonly Item[]): Promise<string> {
  const contents = await mapLimited(items, READ_AT_A_TIME, (item) =>
    (item.given ? givenHash(item.given) : reader.content(item.path, exifOf(item))).then(
      (hash) => [hash, item.label],
      () => ['unreadable', item.label],
    ),
  )
  return `${items.length} ${await sha256(JSON.stringify(contents))}`
}

/** Refuses what nothing can be learned from, and says which classes have few images, or none to test on. */
export function sayWhatIsLearned(dataset: Dataset, shots: RunShots, { onWarning }: Hooks): void {
  checkLearnable(dataset)
  const lack = lackOfImages(dataset, shots)
  if (lack !== undefined) onWarning?.(lack)
  const tested = new Set(labelsOf(dataset.test))
  const without = dataset.classNames.filter((_, label) => !tested.has(label))
  if (tested.size > 0 && without.length > 0) onWarning?.(`${dataset.root}: no test images of ${some(without)}`)
}

export const labelsOf = (items: readonly Item[]): number[] => items.map(({ label }) => label)

/** Whether a method learns from augmented views. */
export const takesViews = ({ pictures }: AnyMethod): boolean => pictures === 'views' || pictures === 'pixels'
