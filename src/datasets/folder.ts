import { basename, join, resolve } from 'node:path'
import { anObject, aText, checkArguments, someHooks } from '../base/arguments.ts'
import { countOf } from '../base/count.ts'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { checkDistinctClasses } from '../data/class-names.ts'
import { codesAmong, warnOfCodes } from '../data/codes.ts'
import { type Dataset, type Item, isOthers, OTHERS, seenBy } from '../data/items.ts'
import { othersBySeed, type Part, partNamed, splitBySeed } from '../data/split.ts'
import { listFolder } from '../node/list-folder.ts'
import type { Exif } from '../pictures/picture.ts'
import { lineFor, namesFileIn, namesOfCodes, readClassFile } from './class-file.ts'
import { countImages, IMAGE_EXTENSIONS, isImageName, LeftOut } from './image-names.ts'

/** Options of readImageFolder. */
export interface FolderOptions {
  /** Decides the split of a plain folder (default 1); ignored if `train/` and `test/` exist. */
  readonly seed?: number
  /** Share of each class that the split holds out for testing; default TEST_SHARE, and 0 where there is `train/` alone. */
  readonly testShare?: number
  /** Whether pictures are turned as their EXIF orientation says (default), or it is ignored. */
  readonly exif?: Exif
}

/** Folders that archive programs leave behind. */
const NOT_CLASSES = new Set(['__MACOSX'])

const LAYOUT =
  'a folder of images for each class (DIR/cat/1.jpg, DIR/dog/1.jpg), or these inside DIR/train and DIR/test'

/** A class folder and the images directly in it, paths in byte order. */
interface ClassFolder {
  readonly name: string
  readonly images: readonly string[]
}

/**
 * Reads a folder of images per class. Either `train/`, `test/` and perhaps `val/` (in any case) hold the class folders, or
 * they are directly in `folder` and every class is split by seed. `train/` alone is learned from whole unless a share is
 * asked for; where there is a `val/` and no `test/`, that is tested on. Classes are in byte order of their folders, and called
 * like these or, where these are numbers or ids of WordNet, as `classes.txt` in the folder says. Links are followed. Images
 * are known by their extension; a warning counts what was found and what was left out, class folders without pictures
 * among it. A folder `_other` beside the class folders, of a part or of all, holds pictures of none of the classes.
 *
 * Throws FileError for a missing or unreadable folder, a layout without class folders, fewer than two classes with
 * pictures, folders whose names differ only in case or `_`, two folders for one part, and classes in `val/` or `test/` that
 * `train/` lacks.
 */
export async function readImageFolder(
  folder: string,
  options: FolderOptions = {},
  hooks: Hooks = {},
): Promise<Dataset> {
  checkArguments('readImageFolder', { folder, options, hooks }, { folder: aText, options: anObject, hooks: someHooks })
  const { seed = 1, testShare, exif = 'turn' } = options
  const leftOut = new LeftOut()
  const parts = await readSplitFolders(folder, leftOut)
  const classes = parts?.train ?? (await readClassFolders(folder, '', leftOut))
  const above = await readOthers(folder, leftOut)
  const folders = classes.map(({ name }) => name)
  const lost = String(leftOut)
  if (folders.length === 1 && (parts?.others.train ?? above).length > 0) {
    throw new FileError(
      `${folder} has only one class, "${folders[0]}"; the pictures in ${OTHERS}/ are of no class`,
      `a classifier needs at least two classes: give those of ${OTHERS}/ that are one a folder of their own`,
    )
  }
  if (folders.length === 1 && lost !== '') {
    throw new FileError(
      `${folder} has only one class with pictures, "${folders[0]}"; left out: ${lost}`,
      `a classifier needs at least two classes; it should look like this: ${LAYOUT}`,
    )
  }
  checkDistinctClasses(folder, folders, 'rename one of the folders or merge them')
  const all = parts ? [...parts.train, ...parts.val, ...parts.test] : classes
  const pictures = all.reduce((sum, { images }) => sum + images.length, 0)
  if (lost !== '') {
    hooks.onWarning?.(
      `${folder}: ${countOf(classes.length, 'class', 'classes')}, ${countOf(pictures, 'picture')}; left out: ${lost}`,
    )
  }
  const about = {
    name: basename(resolve(folder)),
    root: folder,
    classNames: await classNamesOf(folder, folders, hooks),
  }
  if (!parts || parts.test.length + parts.val.length === 0) {
    const keyed = (images: readonly string[]) => images.map((path) => ({ path, key: basename(path) }))
    const all = classes.map(({ name, images }) => ({ name, images: keyed(images) }))
    const share = testShare ?? (parts ? 0 : undefined)
    const others = await othersBySeed(keyed([...above, ...(parts?.others.train ?? [])]), seed, share)
    return seenBy(exif, { ...about, ...(await splitBySeed(all, seed, share)), others })
  }

  const labels = new Map(classes.map(({ name }, label) => [name, label]))
  const { train } = parts
  const onlyVal = parts.test.length === 0
  if (onlyVal) hooks.onWarning?.(`${folder} has no test/: the validation images are used for testing`)
  const [val, test] = onlyVal ? [[], parts.val] : [parts.val, parts.test]
  const ofNone = (paths: readonly string[]) => paths.map((path): Item => ({ path, label: 0 }))
  const others = {
    train: ofNone([...above, ...parts.others.train]),
    test: ofNone(onlyVal ? parts.others.val : parts.others.test),
  }
  return seenBy(exif, {
    ...about,
    train: itemsOf(train, labels),
    val: itemsOf(val, labels),
    test: itemsOf(test, labels),
    others: others.train.length + others.test.length > 0 ? others : undefined,
  })
}

/** Pictures in the folder `_other` of a folder, which are of none of the classes. */
async function readOthers(folder: string, leftOut: LeftOut): Promise<string[]> {
  const paths: string[] = []
  for (const name of (await listFolder(folder)).folders.filter(isOthers)) {
    const listing = await listFolder(join(folder, name))
    await leftOut.addBeside(join(folder, name), listing)
    const pictures = listing.files.filter(isImageName)
    if (pictures.length === 0) leftOut.addEmpty(name)
    paths.push(...pictures.map((file) => join(folder, name, file)))
  }
  return paths
}

/** Names of classes by their folders' names, and by `classes.txt` where these are codes or begin with one. */
async function classNamesOf(folder: string, folders: readonly string[], hooks: Hooks): Promise<string[]> {
  const codes = codesAmong(folders)
  const file = codes.size > 0 ? await readClassFile(folder) : undefined
  const names = file && namesOfCodes(codes, file)
  const classNames = folders.map((name) => names?.get(name) ?? name)
  const toName = (code: string) => lineFor(code, file?.file ?? namesFileIn(folder))
  warnOfCodes(folder, classNames, 'class folders', toName, hooks)
  return classNames
}

/** The classes of `train/`, `val/`, `test/`, and what is of none of them. */
interface SplitFolders extends Record<Part, ClassFolder[]> {
  readonly others: Readonly<Record<Part, readonly string[]>>
}

/** Undefined when `folder` is not laid out so. */
async function readSplitFolders(folder: string, leftOut: LeftOut): Promise<SplitFolders | undefined> {
  const { folders, files, badLinks } = await listFolder(folder)
  const named = (part: Part) => folders.filter((name) => partNamed(name) === part)
  const [trainName] = named('train')
  if (trainName === undefined) return undefined
  const inTrain = await listFolder(join(folder, trainName))
  const others = folders.filter((name) => partNamed(name) === undefined)
  // A train/ without folders is itself a class (a railway train), unless it only has other splits next to it.
  if (inTrain.folders.length === 0 && others.length > 0) return undefined
  const read = async (part: Part) => {
    const [name, second] = named(part)
    if (second !== undefined) {
      throw new FileError(
        `${folder} has ${name}/ and ${second}/, both for ${part}`,
        'merge them, or rename one of them',
      )
    }
    return name === undefined ? [] : readClassFolders(folder, name, leftOut)
  }
  const beside = others.filter((name) => !NOT_CLASSES.has(name) && !isOthers(name))
  if (named('test').length === 0 && beside.length > 0) {
    throw new FileError(
      `${folder} has train/ but no test/, and ${countOf(beside.length, 'other folder')} beside it`,
      'add test/ with a folder for each class, or put all class folders directly into the folder to have them split for you',
    )
  }
  const train = await read('train')
  // a class folder that is there, and empty, is left out of the other parts, too
  const empty = new Set(inTrain.folders.filter((name) => !train.some((each) => each.name === name)))
  const readOther = async (part: Part) => {
    const classes = await read(part)
    for (const { name, images } of classes) {
      if (empty.has(name))
        leftOut.add(`in ${named(part)[0]}/${name}/ (no pictures of it in ${trainName}/)`, images.length)
    }
    return classes.filter(({ name }) => !empty.has(name))
  }
  const ofNone = async (part: Part) => {
    const [name] = named(part)
    return name === undefined ? [] : readOthers(join(folder, name), leftOut)
  }
  const parts = {
    ...{ train, val: await readOther('val'), test: await readOther('test') },
    others: { train: await ofNone('train'), val: await ofNone('val'), test: await ofNone('test') },
  }
  for (const name of beside) {
    leftOut.add(`in ${name}/ (not train, val or test)`, await countImages(join(folder, name)))
  }
  leftOut.add('beside the class folders', files.filter(isImageName).length)
  leftOut.addLinks(badLinks)
  return parts
}

/**
 * The class folders in a folder, or in the one of a part; those without pictures are left out. Throws FileError when there are
 * none, or none with pictures.
 */
async function readClassFolders(root: string, part: string, leftOut: LeftOut): Promise<ClassFolder[]> {
  const folder = join(root, part)
  const { folders, files, badLinks } = await listFolder(folder)
  const names = folders.filter((name) => !NOT_CLASSES.has(name) && !isOthers(name))
  const images = files.filter(isImageName)
  if (names.length === 0 && folders.some(isOthers)) {
    throw new FileError(
      `${folder} has no class folders but only ${OTHERS}/, whose pictures are of no class`,
      `put a folder of pictures for each class beside it: ${LAYOUT}`,
    )
  }
  if (names.length === 0) {
    const found = images.length > 0 ? `holds ${countOf(images.length, 'image')} but` : 'has'
    throw new FileError(
      `${folder} ${found} no class folders${aboutLinks(badLinks)}`,
      `it should look like this: ${LAYOUT}`,
    )
  }
  leftOut.add('beside the class folders', images.length)
  leftOut.addLinks(badLinks)
  const listings = await Promise.all(names.map((name) => listFolder(join(folder, name))))
  const classes: ClassFolder[] = []
  for (const [i, listing] of listings.entries()) {
    const name = names[i] ?? ''
    const pictures = listing.files.filter(isImageName)
    await leftOut.addBeside(join(folder, name), listing)
    if (pictures.length === 0) leftOut.addEmpty(join(part, name))
    else classes.push({ name, images: pictures.map((file) => join(folder, name, file)) })
  }
  if (classes.length === 0) {
    throw new FileError(
      `no class folder of ${folder} has pictures; left out: ${leftOut}`,
      `pictures (${[...IMAGE_EXTENSIONS].join(' ')}) belong directly into these folders: ${LAYOUT}`,
    )
  }
  return classes
}

function aboutLinks(links: readonly string[]): string {
  return links.length > 0 ? ` (${countOf(links.length, 'broken or circular link')})` : ''
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
