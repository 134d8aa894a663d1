import { join, resolve } from 'node:path'
import { CoopError, FileError, UsageError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { nearestWord } from '../../base/spelling.ts'
import type { Dataset, Item } from '../../data/items.ts'
import { PythonRandom } from '../../data/python-random.ts'
import { statIfThere } from '../../node/files.ts'
import { readSplitFile, writeSplitFile } from './split-file.ts'
import { findOfficialDataset, OFFICIAL_DATASETS } from './table.ts'
import type { Entry, OfficialDataset, Place, Split } from './types.ts'

/**
 * Seed of a split that is made here because its file is missing. The published splits of Flowers102, StanfordCars and
 * UCF101 are what the official code makes with it.
 */
export const SPLIT_SEED = 1

/**
 * One of the paper's data sets below `root`, in the official folder layout: by its split file, or, where that is missing,
 * split as the official code does (`SPLIT_SEED`). No picture is looked at; `checkImages` does that.
 *
 * @throws UsageError for a name that no data set has
 * @throws FileError for what is missing on disk or damaged, with file and line where there is one
 */
export async function openOfficialDataset(name: string, root: string, { onWarning }: Hooks = {}): Promise<Dataset> {
  const row = officialDataset(name)
  const place = placeOf(row, root)
  const splitFile = await splitFileOf(row, place)
  const split = splitFile === undefined ? await readRaw(row, place, SPLIT_SEED) : await readSplitFile(splitFile)
  if (row.splitFile !== undefined && splitFile === undefined) {
    onWarning?.(
      `${join(place.folder, row.splitFile)} is missing: ${row.name} was split with seed ${SPLIT_SEED} (docs/datasets.md)`,
    )
  }
  return datasetOf(row, place, split, splitFile)
}

/** The folder above all data sets where none is named: `$COOP_DATA`, or the current one. */
export const defaultRoot = (): string => process.env.COOP_DATA || '.'

/** Makes the split of a data set that has none on disk and writes it as the official split file. Returns its path. */
export async function makeSplitFile(
  name: string,
  { root = defaultRoot(), seed }: { readonly root?: string; readonly seed: number },
): Promise<string> {
  const row = officialDataset(name)
  if (row.splitFile === undefined) {
    throw new UsageError(`${row.name} needs no split file: it comes with its own parts`, 'use it as it is')
  }
  const place = placeOf(row, root)
  const existing = await splitFileOf(row, place)
  if (existing !== undefined) {
    throw new UsageError(`${existing} already exists`, 'use it, or move it elsewhere first')
  }
  const file = join(place.folder, row.splitFile)
  await writeSplitFile(file, await readRaw(row, place, seed))
  return file
}

/** The row of a data set. Throws UsageError that lists the known ones. */
export function officialDataset(name: string): OfficialDataset {
  const row = findOfficialDataset(name)
  if (row) return row
  const ids = OFFICIAL_DATASETS.map(({ id }) => id)
  const meant = nearestWord(name, ids)
  throw new UsageError(
    `there is no data set "${name}"${meant === undefined ? '' : ` (did you mean ${meant}?)`}`,
    `the paper's data sets are ${ids.join(', ')}`,
  )
}

export function placeOf(row: OfficialDataset, root: string): Place {
  const folder = join(root, row.folder)
  return { root, folder, images: join(folder, row.images) }
}

/** The split file, if it is there. */
export async function splitFileOf({ splitFile }: OfficialDataset, { folder }: Place): Promise<string | undefined> {
  if (splitFile === undefined) return undefined
  const file = join(folder, splitFile)
  return (await statIfThere(file)) && file
}

async function readRaw(row: OfficialDataset, place: Place, seed: number): Promise<Split> {
  if (!(await statIfThere(place.folder))) {
    throw new FileError(
      `${row.name} was not found: there is no folder ${resolve(place.folder)}`,
      `give the folder that contains the data sets as root (--root); "coop-ts datasets --root ${place.root}" shows which it found and where to get the rest`,
    )
  }
  try {
    return await row.read(place, new PythonRandom(seed))
  } catch (cause) {
    if (!(cause instanceof CoopError) || row.splitFile === undefined) throw cause
    throw new FileError(
      `${row.name} has no ${join(place.folder, row.splitFile)}, and it cannot be made: ${cause.message}`,
      `download the split file ("coop-ts datasets --root ${place.root}" says where), or fix the annotation: ${cause.remedy}`,
      { cause },
    )
  }
}

function datasetOf(row: OfficialDataset, place: Place, split: Split, splitFile: string | undefined): Dataset {
  const item = ({ name, label }: Entry): Item => ({ path: `${place.images}/${name}`, label, name })
  const test = split.test.map(item)
  return {
    name: row.name,
    root: place.folder,
    classNames: split.classNames,
    train: split.train.map(item),
    val: row.valIsTest ? test : split.val.map(item),
    test,
    templates: [row.template],
    valIsTest: row.valIsTest,
    epochs: row.epochs,
    listedIn: splitFile,
  }
}
