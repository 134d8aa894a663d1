import { z } from 'zod'
import { aList, anObject, checkArguments, texts } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import { checkDistinctClasses } from '../data/class-names.ts'
import { type Dataset, type Item, isOthers, seenBy } from '../data/items.ts'
import { othersBySeed, splitBySeed } from '../data/split.ts'
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
   * Default: what is left out of `train`, a share of each class by the seed 1 (see testShare of the options), or none. An empty
   * list: nothing is measured.
   */
  readonly test?: readonly WebItem[]
  /** Pictures of none of the classes, by which the threshold for "none of these" is chosen; default: none. */
  readonly others?: readonly (Blob | string)[]
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
  /** Share of each class to test on; default: the data set leaves that to what is done with it. */
  readonly testShare?: number
  readonly templates?: readonly string[]
}

/** What is done with the EXIF orientation of a page's pictures where nobody says: cameras mean it. */
export const DEFAULT_EXIF = 'turn' satisfies Exif

/** A data set of a page as the core knows it, and the file behind each of its paths. */
export interface OpenedData {
  readonly dataset: Dataset
  readonly files: ReadonlyMap<string, Blob | string>
}

const aPath = z.union([z.string().min(1), z.instanceof(Blob)], { error: 'a File, a Blob or an address' })
const item = z.object({ path: aPath, label: z.int().min(0), name: z.string().min(1).optional() })
const dataSchema = z.object({
  name: z.string().min(1),
  classNames: z.array(z.string().min(1)).min(1),
  train: z.array(item),
  val: z.array(item).optional(),
  test: z.array(item).optional(),
  others: z.array(aPath).optional(),
  templates: z.array(z.string().min(1)).min(1).optional(),
})

/** Throws UsageError for what is no data set, or has labels without a class. */
export async function openData(
  data: WebDataset,
  { exif = DEFAULT_EXIF, testShare }: { readonly exif?: Exif; readonly testShare?: number },
): Promise<OpenedData> {
  const { data: read, error } = dataSchema.safeParse(data)
  if (read === undefined) {
    const [issue] = error.issues
    throw new UsageError(
      `the data set is not as expected: ${issue?.path.join('.') || 'it'}: ${issue?.message}`,
      'give { name, classNames, train: [{ path, label }], test }, as filesDataset makes it',
    )
  }
  const { name, classNames, templates, test } = read
  const ofNone = read.others ?? []
  if (classNames.length === 1) {
    throw new UsageError(`${name} has only one class, "${classNames[0]}"`, 'a classifier needs at least two classes')
  }
  const named = new Map<string, Blob | string>()
  const names = new Map<Blob | string, string>()
  const itemsOf = (items: readonly WebItem[]): Item[] =>
    items.map(({ path, label, name: own }) => {
      if (label >= classNames.length) {
        throw new UsageError(
          `${own ?? nameOf(path)} has the label ${label}, but there are ${classNames.length} class names`,
          'labels count from 0',
        )
      }
      const known = names.get(path) ?? freeName(own ?? nameOf(path), named)
      names.set(path, known)
      named.set(known, path)
      return { path: known, label }
    })
  const parts = { train: itemsOf(read.train), val: itemsOf(read.val ?? []), test: itemsOf(test ?? []) }
  if (test !== undefined && testShare !== undefined) {
    throw new UsageError(`${name} says itself which pictures are for testing`, 'leave out testShare, or test')
  }
  const about = { name, root: name, classNames, templates }
  const others = itemsOf(ofNone.map((path) => ({ path, label: 0 })))
  if (test !== undefined) {
    const beside = others.length > 0 ? { train: others, test: [] } : undefined
    return { dataset: seenBy(exif, { ...about, ...parts, others: beside }), files: named }
  }
  const keyed = (items: readonly Item[]) => items.map(({ path }) => ({ path, key: baseName(path) }))
  const classes = classNames.map((className, label) => ({
    name: className,
    images: keyed(parts.train.filter(({ label: own }) => own === label)),
  }))
  const split = await splitBySeed(classes, SPLIT_SEED, testShare)
  const beside = await othersBySeed(keyed(others), SPLIT_SEED, testShare)
  return { dataset: seenBy(exif, { ...about, ...split, val: parts.val, others: beside }), files: named }
}

/** As Node splits a folder. */
const SPLIT_SEED = 1

const nameOf = (path: Blob | string): string => {
  if (typeof path === 'string') return path
  return path instanceof File ? path.webkitRelativePath || path.name : 'picture'
}

const baseName = (path: string): string => path.split('/').at(-1) ?? path

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  let free = name
  for (let n = 2; taken.has(free); n++) free = `${name} (${n})`
  return free
}

/**
 * Classes of files as a data set; with a share, a part of each class to test on, chosen by the names of the files as Node splits an
 * image folder. A class called `_other` is none: its files are of none of the classes.
 *
 * @throws UsageError for fewer than two classes, two of the same name, a class without files, or a wrong share
 */
export async function filesDataset(all: readonly WebClass[], options: FilesOptions = {}): Promise<WebDataset> {
  checkArguments('filesDataset', { classes: all, options }, { classes: aList, options: anObject })
  const { name = 'pictures', testShare, templates } = options
  checkArguments('filesDataset', { names: all.map((each) => each?.name) }, { names: texts })
  const classes = all.filter((each) => !isOthers(each.name))
  const others = all.flatMap((each) => (isOthers(each.name) ? each.files : []))
  const names = classes.map((each) => each.name)
  if (names.length < 2) throw new UsageError('there are fewer than two classes', 'a classifier needs at least two')
  const twice = names.find((className, i) => names.indexOf(className) < i)
  if (twice !== undefined) throw new UsageError(`two classes are called "${twice}"`, 'rename one of them')
  checkDistinctClasses(name, names, 'rename one of them')
  const empty = classes.find(({ files }) => !Array.isArray(files) || files.length === 0)
  if (empty !== undefined) throw new UsageError(`the class "${empty.name}" has no pictures`, 'add some, or remove it')
  const train = classes.flatMap(({ files }, label) => files.map((path): WebItem => ({ path, label })))
  if (testShare === undefined) return { name, classNames: names, train, others, templates }
  const keyed = classes.map(({ name: className, files }, label) => ({
    name: className,
    images: files.map((file, i) => ({ path: String(place(label, i)), key: baseName(nameOf(file)) })),
  }))
  function place(label: number, i: number): number {
    return classes.slice(0, label).reduce((sum, { files }) => sum + files.length, i)
  }
  const split = await splitBySeed(keyed, SPLIT_SEED, testShare)
  const back = (items: readonly Item[]) => items.flatMap(({ path }) => train[Number(path)] ?? [])
  return { name, classNames: names, train: back(split.train), test: back(split.test), others, templates }
}
