import { join } from 'node:path'
import { countOf } from '../../base/count.ts'
import { CoopError, FileError } from '../../base/errors.ts'
import type { Dataset } from '../../data/items.ts'
import { exists } from '../../node/run-folder.ts'
import { missingImages } from '../check-images.ts'
import { CLASS_NAMES } from './imagenet.ts'
import { openOfficialDataset, placeOf } from './open.ts'
import { OFFICIAL_DATASETS } from './table.ts'
import type { Counts, Download, OfficialDataset, Place } from './types.ts'

/** What is on disk of a data set. */
export interface DatasetStatus {
  /** `ready`: as published; `differs`: usable, not as published; `incomplete`: not usable; `absent`: nothing is there. */
  readonly state: 'ready' | 'differs' | 'incomplete' | 'absent'
  readonly folder: string
  /** `file`: the split file; `made`: by the official rules, its file is missing; `own`: the data set has its own parts. */
  readonly split?: 'file' | 'made' | 'own'
  readonly counts?: Counts
  /** What is missing below the root. */
  readonly missing: readonly string[]
  readonly problems: readonly string[]
  /** Where to get what is missing. */
  readonly sources: readonly Download[]
}

/** A data set of the paper, as lists have it. */
export type ListedDataset = Omit<OfficialDataset, 'read'> & { readonly status?: DatasetStatus }

/** All data sets; with a root also what is there of each. */
export async function listDatasets(root = process.env.COOP_DATA): Promise<ListedDataset[]> {
  if (root !== undefined && !(await exists(root))) {
    throw new FileError(`${root}: no such folder`, 'give the folder that contains the data sets as root (--root)')
  }
  const listed: ListedDataset[] = []
  for (const row of OFFICIAL_DATASETS) {
    const { read: _, ...set } = row
    listed.push(root === undefined ? set : { ...set, status: await statusOf(row, root) })
  }
  return listed
}

/** Looks at one data set: folders and files there, its counts against the published ones, images that are not there. */
async function statusOf(row: OfficialDataset, root: string): Promise<DatasetStatus> {
  const place = placeOf(row, root)
  const about = { folder: place.folder }
  if (!(await exists(place.folder))) {
    return { ...about, state: 'absent', missing: [row.folder], problems: [], sources: row.sources }
  }
  const { split, missing } = await whatIsMissing(row, place)
  const found = {
    ...about,
    split,
    missing: missing.map((path) => join(row.folder, path)),
    sources: sourcesOf(row, missing),
  }
  try {
    const dataset = await openOfficialDataset(row.id, root)
    const counts = countsOf(dataset)
    const lacking = await missingImages([...dataset.train, ...dataset.val, ...dataset.test])
    const gone =
      lacking.length > 0
        ? [`${countOf(lacking.length, 'image is', 'images are')} missing, ${lacking[0]?.path} the first`]
        : []
    const problems = [...differences(counts, row.counts), ...gone]
    const lost = missing.some((path) => row.imageFolders.includes(path)) || lacking.length > 0
    return { ...found, counts, problems, state: lost ? 'incomplete' : problems.length > 0 ? 'differs' : 'ready' }
  } catch (error) {
    if (!(error instanceof CoopError)) throw error
    return { ...found, state: 'incomplete', problems: [error.message] }
  }
}

async function whatIsMissing(
  row: OfficialDataset,
  place: Place,
): Promise<Required<Pick<DatasetStatus, 'split' | 'missing'>>> {
  const absent = async (paths: readonly string[]) => {
    const there = await Promise.all(paths.map((path) => isThere(place, path)))
    return paths.filter((_, i) => !there[i])
  }
  const images = await absent(row.imageFolders)
  if (row.splitFile === undefined) return { split: 'own', missing: [...images, ...(await absent(row.annotation))] }
  const file = await absent([row.splitFile])
  if (file.length === 0) return { split: 'file', missing: images }
  return { split: 'made', missing: [...images, ...file, ...(await absent(row.annotation))] }
}

/** The names of ImageNet's classes may be in its own folder. */
async function isThere({ root, folder }: Place, path: string): Promise<boolean> {
  const isNames = path === CLASS_NAMES
  return (await exists(join(folder, path))) || (isNames && (await exists(join(root, 'imagenet', path))))
}

function countsOf({ classNames, train, val, valIsTest, test }: Dataset): Counts {
  return {
    classes: classNames.length,
    train: train.length || undefined,
    val: (!valIsTest && val.length) || undefined,
    test: test.length,
  }
}

function differences(found: Counts, published: Counts): string[] {
  const keys = ['classes', 'train', 'val', 'test'] as const
  return keys
    .filter((key) => found[key] !== published[key])
    .map((key) => `${key}: ${found[key] ?? 0} here, ${published[key] ?? 0} published`)
}

/** The sources that name what is missing, or all where none does. */
function sourcesOf({ sources }: OfficialDataset, missing: readonly string[]): readonly Download[] {
  const named = sources.filter(({ what }) => missing.some((path) => what.includes(path) || path.startsWith(`${what}/`)))
  return named.length > 0 || missing.length === 0 ? named : sources
}
