import { basename, extname, join, resolve } from 'node:path'
import { anObject, aText, checkArguments } from '../base/arguments.ts'
import { FileError } from '../base/errors.ts'
import { checkDistinctClasses } from '../data/class-names.ts'
import type { Dataset, Item } from '../data/items.ts'
import { type Part, splitBySeed } from '../data/split.ts'
import { listFolder } from '../node/list-folder.ts'

export interface FolderOptions {
  /** Decides the split of a plain folder (default 1); ignored if `train/` and `test/` exist. */
  readonly seed?: number
}

const IMAGE_EXTENSIONS = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp', '.tif', '.tiff', '.avif'])

/** Folders that archive programs leave behind. */
const NOT_CLASSES = new Set(['__MACOSX'])

const VAL_NAMES = ['val', 'valid', 'validation']
const PART_FOLDERS = new Set(['train', 'test', ...VAL_NAMES])

const LAYOUT =
  'a folder of images for each class (DIR/cat/1.jpg, DIR/dog/1.jpg), or these inside DIR/train and DIR/test'

/** A class folder and the images directly in it, paths in byte order. */
interface ClassFolder {
  readonly name: string
  readonly images: readonly string[]
}

/**
 * Reads a folder of images per class. Either `train/`, `test/` and perhaps `val/` hold the class folders, or they are
 * directly in `folder` and every class is split by seed. Class names are the folders' names in byte order. Hidden
 * files, symbolic links and files that are not images are passed over; images are known by their extension.
 *
 * Throws FileError for a missing or unreadable folder, a layout without class folders, an empty class folder, a single
 * class, class names that differ only in case or `_`, and classes in `val/` or `test/` that `train/` lacks.
 */
export async function readImageFolder(folder: string, options: FolderOptions = {}): Promise<Dataset> {
  checkArguments('readImageFolder', { folder, options }, { folder: aText, options: anObject })
  const parts = await readSplitFolders(folder)
  const classes = parts?.train ?? (await readClassFolders(folder))
  const names = classes.map(({ name }) => name)
  checkDistinctClasses(folder, names, 'rename one of the folders or merge them')
  const about = { name: basename(resolve(folder)), root: folder, classNames: names }
  if (!parts) {
    const keyed = classes.map(({ name, images }) => ({
      name,
      images: images.map((path) => ({ path, key: basename(path) })),
    }))
    return { ...about, ...splitBySeed(keyed, options.seed ?? 1) }
  }

  const labels = new Map(classes.map(({ name }, label) => [name, label]))
  const { train, val, test } = parts
  return { ...about, train: itemsOf(train, labels), val: itemsOf(val, labels), test: itemsOf(test, labels) }
}

/** Whether the file's extension is that of an image. */
export function isImageName(file: string): boolean {
  return IMAGE_EXTENSIONS.has(extname(file).toLowerCase())
}

/** The classes of `train/`, `val/`, `test/`; undefined when `folder` is not laid out so. */
async function readSplitFolders(folder: string): Promise<Record<Part, ClassFolder[]> | undefined> {
  const { folders } = await listFolder(folder)
  if (!folders.includes('train')) return undefined
  const inTrain = await listFolder(join(folder, 'train'))
  // A train/ without folders is itself a class (a railway train), unless it only has other splits next to it.
  if (inTrain.folders.length === 0 && !folders.every((name) => PART_FOLDERS.has(name))) return undefined
  if (!folders.includes('test')) {
    throw new FileError(
      `${folder} has train/ but no test/`,
      'add test/ with a folder for each class, or put the class folders directly into the folder to have them split for you',
    )
  }
  const valName = VAL_NAMES.find((name) => folders.includes(name))
  return {
    train: await readClassFolders(join(folder, 'train')),
    val: valName === undefined ? [] : await readClassFolders(join(folder, valName)),
    test: await readClassFolders(join(folder, 'test')),
  }
}

/** All class folders in `folder`; throws FileError when there are none or one has no images. */
async function readClassFolders(folder: string): Promise<ClassFolder[]> {
  const { folders, files, links } = await listFolder(folder)
  const names = folders.filter((name) => !NOT_CLASSES.has(name))
  if (names.length === 0) {
    const found = files.some(isImageName) ? `holds ${count(files.filter(isImageName), 'image')} but` : 'has'
    throw new FileError(
      `${folder} ${found} no class folders${aboutLinks(links)}`,
      `it should look like this: ${LAYOUT}`,
    )
  }
  return Promise.all(names.map((name) => readClassFolder(folder, name)))
}

async function readClassFolder(parent: string, name: string): Promise<ClassFolder> {
  const folder = join(parent, name)
  const { folders, files, links } = await listFolder(folder)
  const images = files.filter(isImageName)
  if (images.length === 0) {
    const inside = folders.length > 0 ? `, only ${count(folders, 'folder')}` : aboutLinks(links)
    throw new FileError(
      `the class folder ${folder} has no images${inside}`,
      `put images of "${name}" (${[...IMAGE_EXTENSIONS].join(' ')}) directly into it, or remove the folder`,
    )
  }
  return { name, images: images.map((file) => join(folder, file)) }
}

function count(things: readonly unknown[], noun: string): string {
  return `${things.length} ${noun}${things.length === 1 ? '' : 's'}`
}

function aboutLinks(links: readonly string[]): string {
  return links.length > 0 ? ` (${count(links, 'symbolic link')}, which are not followed)` : ''
}

/** Items of `val/` or `test/` (or of `train/` itself) with the labels that `train/` gives. */
function itemsOf(classes: readonly ClassFolder[], labels: ReadonlyMap<string, number>): Item[] {
  return classes.flatMap(({ name, images }) => {
    const label = labels.get(name)
    if (label === undefined) {
      throw new FileError(`the class "${name}" of ${images[0]} is not in train/`, 'add it to train/ or remove it here')
    }
    return images.map((path) => ({ path, label }))
  })
}
