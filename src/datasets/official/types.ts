import type { Item } from '../../data/items.ts'
import type { PythonRandom } from '../../data/python-random.ts'

/** The counts of the paper's appendix; undefined where there is no such part. */
export interface Counts {
  readonly classes: number
  readonly train: number | undefined
  readonly val: number | undefined
  readonly test: number
}

/** One thing to fetch, and where from. */
export interface Download {
  readonly what: string
  readonly url: string
}

/** Where a data set is on this machine. */
export interface Place {
  /** The folder above all data sets. */
  readonly root: string
  readonly folder: string
  readonly images: string
}

/** An image by its path below the image folder, `/` between folders. */
export type Entry = Required<Pick<Item, 'name' | 'label'>>

/** What a split file or a raw annotation says. */
export interface Split {
  readonly classNames: readonly string[]
  readonly train: readonly Entry[]
  readonly val: readonly Entry[]
  readonly test: readonly Entry[]
}

/** Reads a data set as its makers published it; what is split on the way is drawn by `random`. */
export type RawReader = (place: Place, random: PythonRandom) => Promise<Split>

/** A row of OFFICIAL_DATASETS: all that is special about one data set of the paper. */
export interface OfficialDataset {
  /** As in the official `configs/datasets/`. */
  readonly id: string
  /** The paper's name, and that of the published figures. */
  readonly name: string
  /** The official class, the name in `DATASET.NAME`. */
  readonly officialClass: string
  readonly aliases?: readonly string[]
  /** Folder below the root. */
  readonly folder: string
  /** Folder of images below that; '' is the folder itself. */
  readonly images: string
  /** The official split file in `folder`; undefined where the data set has its own parts or none. */
  readonly splitFile?: string
  /** Folders below `folder` that hold the images. */
  readonly imageFolders: readonly string[]
  /** Files below `folder` that `read` also needs. */
  readonly annotation: readonly string[]
  /** The official way without a split file. */
  readonly read: RawReader
  /** Only to be tested on (domain shift). */
  readonly testOnly?: boolean
  readonly valIsTest?: boolean
  /** The paper's epochs, where they do not follow from the shots. */
  readonly epochs?: number
  readonly template: string
  readonly counts: Counts
  readonly sources: readonly Download[]
}
