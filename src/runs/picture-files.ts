import { realpath } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { countOf } from '../base/count.ts'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { isImageName } from '../datasets/image-names.ts'
import { statIfThere } from '../node/files.ts'
import { listFolder } from '../node/list-folder.ts'
import { some } from './dataset.ts'

/**
 * Files of pictures: those named, and of folders all pictures in them and their sub-folders, in byte order. What else is
 * in a folder is left out, which the hooks are told. Throws where there is no picture, or no such folder.
 */
export async function pictureFiles(paths: readonly string[], { onWarning }: Hooks): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    if (!(await isFolder(path))) {
      files.push(path)
      continue
    }
    const found = await filesBelow(path)
    const pictures = found.filter(isImageName)
    const others = found.filter((file) => !isImageName(file))
    if (others.length > 0) {
      const kinds = [...new Set(others.map((file) => extname(file).toLowerCase() || 'no extension'))].sort()
      onWarning?.(
        `left out of ${path}: ${countOf(others.length, 'file is not a picture', 'files are not pictures')} (${some(kinds)})`,
      )
    }
    if (pictures.length === 0)
      throw new FileError(`${path} has no pictures`, 'give a folder of pictures, or their files')
    files.push(...pictures)
  }
  if (files.length === 0) throw new UsageError('no picture is given', 'name files or folders of pictures')
  return files
}

/** All files below a folder; a folder that is met again by a link is not entered again. */
async function filesBelow(folder: string, above: readonly string[] = []): Promise<string[]> {
  const real = await realpath(folder)
  if (above.includes(real)) return []
  const { files, folders } = await listFolder(folder)
  const below = folders.map((name) => filesBelow(join(folder, name), [...above, real]))
  return [...files.map((name) => join(folder, name)), ...(await Promise.all(below)).flat()]
}

const isFolder = async (path: string): Promise<boolean> => (await statIfThere(path))?.isDirectory() === true
