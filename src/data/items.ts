import type { Precision } from '../clip/precision.ts'
import type { Exif } from '../pictures/picture.ts'
import type { Transforms } from '../pictures/transforms.ts'

/** One labelled picture: where it is and the index of its class. */
export interface Item {
  readonly path: string
  readonly label: number
  /** What its data set calls it: the path as the split file has it, or below the folder of images. */
  readonly name?: string
  /** It is turned as its EXIF orientation says. */
  readonly turned?: boolean
  /** Features that somebody computed of it, `(embed)`: no picture is looked at. */
  readonly given?: GivenFeatures
}

/** Features of one picture, of those that are in one file. */
export interface GivenFeatures {
  readonly values: Float32Array
  readonly from: FeaturesAbout
}

/** What a file of features says of itself. */
export interface FeaturesAbout {
  readonly file: string
  /** The model that computed them, where it is known. */
  readonly model?: { readonly name: string; readonly fingerprint: string }
  /** How pictures were cut, and what was done with their EXIF orientation, where that is known. */
  readonly transforms?: Transforms
  readonly exif?: Exif
  /** In what the image tower computed them; undefined: in float32. */
  readonly precision?: Precision
}

/** What the file of features says that items are from; undefined for pictures. */
export const givenFrom = (items: readonly Item[]): FeaturesAbout | undefined =>
  items.find(({ given }) => given !== undefined)?.given?.from

/** Labelled pictures in three parts; `label` indexes `classNames`. `val` may be empty. */
export interface Dataset {
  readonly name: string
  readonly root: string
  readonly classNames: readonly string[]
  readonly train: readonly Item[]
  readonly val: readonly Item[]
  readonly test: readonly Item[]
  /** Pictures of none of the classes, by which a threshold is chosen and tested; their labels mean nothing. */
  readonly others?: Readonly<Record<'train' | 'test', readonly Item[]>>
  /** `val` holds the test images themselves (ImageNet): it is taken whole, no few are drawn of it. */
  readonly valIsTest?: boolean
  /** Share of each class that a seed held out for testing; undefined where the data set marks its parts itself. */
  readonly testShare?: number
  /** Epochs that the paper learns for on it, whatever the shots, where these do not follow from the shots. */
  readonly epochs?: number
  /** The data set's hand-written prompts, `{}` for the class name. */
  readonly templates?: readonly string[]
  /** The file that names the pictures, where there is one. */
  readonly listedIn?: string
}

/** What is done with a picture's EXIF orientation. */
export const exifOf = ({ turned }: Pick<Item, 'turned'>): Exif => (turned ? 'turn' : 'ignore')

/** A data set whose pictures are all turned as their EXIF says, or none of them. */
export function seenBy(exif: Exif, dataset: Dataset): Dataset {
  const seen = (items: readonly Item[]) =>
    items.map((item): Item => ({ ...item, turned: exif === 'turn' ? true : undefined }))
  const { train, val, test, others } = dataset
  const ofNone = others && { train: seen(others.train), test: seen(others.test) }
  return { ...dataset, train: seen(train), val: seen(val), test: seen(test), others: ofNone }
}

/** What the folder beside the class folders is called, in any case, whose pictures are of none of the classes. */
export const OTHERS = '_other'
export const isOthers = (name: string): boolean => name.toLowerCase() === OTHERS

/** What `seenBy` was asked for. */
export const exifOfDataset = ({ train, test }: Pick<Dataset, 'train' | 'test'>): Exif =>
  exifOf(train[0] ?? test[0] ?? {})
