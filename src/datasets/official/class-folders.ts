import { join } from 'node:path'
import { FileError } from '../../base/errors.ts'
import { mapLimited } from '../../base/overlap.ts'
import { folderNames, imageNames } from './listing.ts'
import { splitClasses } from './shares.ts'
import type { RawReader } from './types.ts'

/** Folders that are listed at the same time. */
const LISTINGS = 16

export interface ClassFolderRules {
  /** Folders that are no classes. */
  readonly ignored?: readonly string[]
  /** Class names where they are not the folders' names. */
  readonly renames?: Readonly<Record<string, string>>
}

/**
 * A folder for each class, split by the seed. Official: `DescribableTextures.read_and_split_data`, which shuffles the
 * files as the file system lists them; here they are sorted first, so that a seed gives one split on every machine.
 */
export function classFolders({ ignored = [], renames = {} }: ClassFolderRules = {}): RawReader {
  return async ({ images }, random) => {
    const folders = (await folderNames(images)).filter((folder) => !ignored.includes(folder))
    if (folders.length === 0) {
      throw new FileError(`${images} has no class folders`, 'check that the whole data set was unpacked')
    }
    const classNames = folders.map((folder) => (Object.hasOwn(renames, folder) ? renames[folder] : undefined) ?? folder)
    const lists = await listImages(images, folders)
    const classes = lists.map((names, label) => ({ label, className: classNames[label] ?? '', names }))
    return { classNames, ...splitClasses(images, classes, random) }
  }
}

/** The images of each folder below `parent`, as `folder/file`. Throws FileError for a folder without images. */
export async function listImages(parent: string, folders: readonly string[], prefix = ''): Promise<string[][]> {
  return mapLimited(folders, LISTINGS, async (folder) => {
    const files = await imageNames(join(parent, folder))
    if (files.length === 0) {
      throw new FileError(`${join(parent, folder)} has no images`, 'check that the whole data set was unpacked')
    }
    return files.map((file) => `${prefix}${folder}/${file}`)
  })
}
