import type { Exif } from '../pictures/picture.ts'

/** A labelled picture of a page. */
export interface WebItem {
  /** A File or another Blob, or an address to fetch it from. */
  readonly path: Blob | string
  /** Index into the class names. */
  readonly label: number
  /** What messages call it; default: the name of the file, or the address. */
  readonly name?: string
}

/** Labelled pictures of a page, as a Dataset of Node is. */
export interface WebDataset {
  readonly name: string
  readonly classNames: readonly string[]
  readonly train: readonly WebItem[]
  /** Default: none. */
  readonly val?: readonly WebItem[]
  /**
   * Default: a share of each class of `train`, held out by the seed 1 (see testShare of the options). An empty list: nothing is
   * measured.
   */
  readonly test?: readonly WebItem[]
  /** Hand-written prompts, `{}` for the class name; default: "a photo of a {}." */
  readonly templates?: readonly string[]
}

/** A class and its pictures, before any are held out for testing. */
export interface WebClass {
  readonly name: string
  readonly files: readonly (Blob | string)[]
}

/** Options of filesDataset. */
export interface FilesOptions {
  /** Default: pictures. */
  readonly name?: string
  /** Share of each class to test on; default 0.3. */
  readonly testShare?: number
  readonly templates?: readonly string[]
}

/** What is done with the EXIF orientation of a page's pictures where nobody says: cameras mean it. */
export const DEFAULT_EXIF = 'turn' satisfies Exif

/**
 * Classes of files as a data set: a part of each class to test on, chosen by the names of the files as Node splits an image
 * folder.
 */
export async function filesDataset(_classes: readonly WebClass[], _options: FilesOptions = {}): Promise<WebDataset> {
  throw new Error('not built yet')
}
