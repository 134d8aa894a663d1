import { join } from 'node:path'
import { FileError } from '../../base/errors.ts'
import { readText } from '../../node/files.ts'
import { exists } from '../../node/run-folder.ts'
import { listImages } from './class-folders.ts'
import { folderNames } from './listing.ts'
import type { Entry, Place, RawReader, Split } from './types.ts'

export const CLASS_NAMES = 'classnames.txt'

/**
 * ImageNet: `images/train` and `images/val` with a folder for each class. The validation images are val and test both
 * (official: `ImageNet`). Official code takes the files as the file system lists them, here they are sorted.
 */
export const readImageNet: RawReader = async (place) => {
  const names = await readClassNames(place)
  const train = await classesBelow(place, names, 'train/')
  const test = await classesBelow(place, names, 'val/')
  const strange = test.folders.find((folder) => !train.folders.includes(folder))
  const lacking = train.folders.find((folder) => !test.folders.includes(folder))
  if (strange !== undefined || lacking !== undefined) {
    throw new FileError(
      `${place.images}: the class folder ${strange ?? lacking} is only in ${strange ? 'val' : 'train'}/`,
      'check that both were unpacked completely; train/ and val/ must have the same class folders',
    )
  }
  return { classNames: train.classNames, train: train.entries, val: test.entries, test: test.entries }
}

/** A folder for each class named by its WordNet id, to be tested on (official: `ImageNetSketch`, `-A`, `-R`). */
export const readShiftedImageNet: RawReader = async (place) => {
  const { classNames, entries } = await classesBelow(place, await readClassNames(place), '')
  return testOnly(classNames, entries)
}

/** ImageNetV2: folders 0 ... 999, whose number is the line of `classnames.txt` (official: `ImageNetV2`). */
export const readImageNetV2: RawReader = async (place) => {
  const names = [...(await readClassNames(place)).values()]
  const folders = (await folderNames(place.images)).sort((a, b) => Number(a) - Number(b))
  const wrong = folders.findIndex((folder, i) => folder !== String(i) || i >= names.length)
  if (folders.length === 0 || wrong !== -1) {
    throw new FileError(
      `${place.images}: the class folders are 0, 1, 2 ... as many as ${CLASS_NAMES} has lines, ` +
        (folders.length === 0 ? 'and there are none' : `and instead of ${wrong} comes "${folders[wrong]}"`),
      'check that the whole data set was unpacked',
    )
  }
  return testOnly(names.slice(0, folders.length), labelled(await listImages(place.images, folders)))
}

function testOnly(classNames: readonly string[], test: readonly Entry[]): Split {
  return { classNames, train: [], val: [], test }
}

const labelled = (lists: readonly (readonly string[])[]): Entry[] =>
  lists.flatMap((names, label) => names.map((name) => ({ name, label })))

/** The images of the class folders below `prefix`, classes in the order of the folders' names. */
async function classesBelow({ images }: Place, names: ReadonlyMap<string, string>, prefix: string) {
  const parent = join(images, prefix)
  const folders = await folderNames(parent)
  if (folders.length === 0) {
    throw new FileError(
      `${parent} has no class folders`,
      "the images must be in a folder for each class (n01440764 ...); ImageNet's validation images are sorted into them by valprep.sh",
    )
  }
  const classNames = folders.map((folder) => {
    const name = names.get(folder)
    if (name !== undefined) return name
    throw new FileError(
      `${join(parent, folder)}: ${CLASS_NAMES} has no class ${folder}`,
      'download it again, or remove the folder',
    )
  })
  return { folders, classNames, entries: labelled(await listImages(parent, folders, prefix)) }
}

/** Class names by WordNet id; the file beside the images, or else ImageNet's. Lines are `n01440764 tench`. */
async function readClassNames({ root, folder }: Place): Promise<Map<string, string>> {
  const own = join(folder, CLASS_NAMES)
  const file = (await exists(own)) ? own : join(root, 'imagenet', CLASS_NAMES)
  if (!(await exists(file))) {
    throw new FileError(`${own} is missing`, 'put classnames.txt there; coop-ts datasets says where to get it')
  }
  const lines = (await readText(file)).split(/\r?\n/)
  const names = new Map<string, string>()
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue
    const [id = '', ...words] = line.trim().split(' ')
    const fault =
      words.length === 0 ? 'the id is not followed by a class name' : names.has(id) ? `${id} appears here twice` : ''
    if (fault)
      throw new FileError(`${file}:${i + 1}: ${fault}`, 'lines are like "n01440764 tench"; download the file again')
    names.set(id, words.join(' '))
  }
  return names
}
