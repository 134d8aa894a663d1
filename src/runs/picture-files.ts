import { join } from 'node:path'
import { countOf } from '../base/count.ts'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { isImageName, LeftOut } from '../datasets/image-names.ts'
import { statIfThere } from '../node/files.ts'
import { listBelow } from '../node/list-folder.ts'

/**
 * Files of pictures: those named, and of folders all pictures in them and their sub-folders, in byte order. A warning
 * counts what else is in a folder.
 * @throws FileError for a folder without pictures; UsageError where nothing is given
 */
export async function pictureFiles(paths: readonly string[], hooks: Hooks): Promise<string[]> {
  if (paths.length === 0) throw new UsageError('no picture is given', 'name files or folders of pictures')
  const files: string[][] = []
  for (const path of paths) files.push((await isFolder(path)) ? await picturesBelow(path, hooks) : [path])
  return files.flat()
}

async function picturesBelow(folder: string, { onWarning }: Hooks): Promise<string[]> {
  const listing = await listBelow(folder)
  const pictures = listing.files.filter(isImageName)
  const leftOut = new LeftOut()
  await leftOut.addBeside(folder, listing)
  const others = String(leftOut)
  if (pictures.length === 0) {
    const instead = others === '' ? '' : ` (${others})`
    throw new FileError(`${folder} has no pictures${instead}`, 'give a folder of pictures, or their files')
  }
  if (others !== '') onWarning?.(`${folder}: ${countOf(pictures.length, 'picture')}; left out: ${others}`)
  return pictures.map((file) => join(folder, file))
}

const isFolder = async (path: string): Promise<boolean> => (await statIfThere(path))?.isDirectory() === true
