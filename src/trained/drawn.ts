import { some } from '../base/count.ts'
import { mapLimited } from '../base/overlap.ts'
import type { Hooks } from '../base/progress.ts'
import { sha256 } from '../base/sha256.ts'
import { checkLearnable, drawSubset, lackOfImages, type RunShots } from '../data/fewshot.ts'
import { halfOf } from '../data/halves.ts'
import { type Dataset, exifOf, type Item, OTHERS } from '../data/items.ts'
import { holdOutVal } from '../data/split.ts'
import { largestClass } from '../learning/labelled-rows.ts'
import type { AnyMethod } from '../methods/index.ts'
import { isCostly, type Job } from './job.ts'
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
  const others = dataset.others && [...dataset.others.train, ...dataset.others.test]
  if (others !== undefined && job.shots !== 0) sets.push(['other', others.map((item) => ({ ...item, label: -1 }))])
  for (const word of job.elsewhere) sets.push([word, (await datasets.dataset(job, word, hooks)).test])
  const drawn: [string, string][] = []
  for (const [name, items] of sets) drawn.push([name, await described(reader, items)])
  return Object.fromEntries(drawn)
}

/** How many pictures, and a hash of what they are and of their labels. */
export async function described(reader: PictureReader, items: readonly Item[]): Promise<string> {
  const contents = await mapLimited(items, READ_AT_A_TIME, (item) =>
    (item.given ? givenHash(item.given) : reader.content(item.path, exifOf(item))).then(
      (hash) => [hash, item.label],
      () => ['unreadable', item.label],
    ),
  )
  return `${items.length} ${await sha256(JSON.stringify(contents))}`
}

/**
 * Some work, during which pictures are looked at: their reader knows then what they are when it is asked. Stops with the
 * work, or with all pictures seen.
 */
export async function whileLooking<T>(reader: PictureReader, items: readonly Item[], work: Promise<T>): Promise<T> {
  let on = true
  const look = async (item: Item) => {
    if (on && !item.given) await reader.content(item.path, exifOf(item)).catch(() => undefined) // said when it is asked for
  }
  void mapLimited(items, READ_AT_A_TIME, look)
  return work.finally(() => {
    on = false
  })
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

/** Says of which classes and pictures nothing is measured. */
export function sayHowJudged(
  { folds, crossValidate, title }: Job,
  { classNames, train, test, root, others }: Dataset,
  { onWarning }: Hooks,
): void {
  if (folds === undefined) {
    if (others !== undefined) onWarning?.(`${root}: ${OTHERS}/ is not used: no threshold is chosen for ${title}`)
    return
  }
  const labels = labelsOf(train)
  const single = classNames.filter((_, c) => labels.indexOf(c) === labels.lastIndexOf(c))
  const isTested = test.length > 0
  if (single.length === classNames.length) {
    const what =
      isTested || !crossValidate
        ? 'probabilities are not calibrated'
        : 'nothing can be measured (more shots, or --test-share 0.3, which withholds some to test on)'
    onWarning?.(`${root}: each class has a single picture to learn from: ${what}`)
    return
  }
  if (single.length > 0 && crossValidate && !isTested)
    onWarning?.(`${root}: of ${some(single)} there is a single picture: learned from, not measured`)
}

/** Says how often something is learned that takes long. */
export function sayCost(
  { folds = 0, crossValidate, title }: Job,
  method: AnyMethod,
  { train, test }: Pick<Dataset, 'train' | 'test'>,
  { onWarning }: Hooks,
): void {
  const times = Math.min(folds, largestClass(labelsOf(train)))
  if (!isCostly(method) || times < 2) return
  const why = crossValidate && test.length === 0 ? 'to measure it' : 'to calibrate its probabilities'
  onWarning?.(
    `${title} is learned ${times + 1} times: from all training pictures, and ${times} times without a part of them, ${why}`,
  )
}

export const labelsOf = (items: readonly Item[]): number[] => items.map(({ label }) => label)

/** Whether a method learns from augmented views. */
export const takesViews = ({ pictures }: AnyMethod): boolean => pictures === 'views' || pictures === 'pixels'
