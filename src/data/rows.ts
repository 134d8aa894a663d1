import { breathe, filterBreathing, mapBreathing } from '../base/breathe.ts'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { checkDistinctClasses } from './class-names.ts'
import { warnOfCodes } from './codes.ts'
import { type Dataset, type Item, isOthers, OTHERS } from './items.ts'
import { type RawLabel, resolveLabels } from './labels.ts'
import { othersBySeed, type Part, splitBySeed } from './split.ts'

/** An image with its class, from a list or a parquet file. */
export interface LabelledRow extends RawLabel {
  /** The image file. */
  readonly path: string
  /** Equal where the images are: the path, or a hash of the content. */
  readonly identity: string
  /** Decides the image's place in a seeded split, with seed and class. */
  readonly key: string
  readonly split?: Part
}

export interface RowsAbout {
  readonly name: string
  readonly root: string
  /** What messages call the source. */
  readonly source: string
  /** Names of numbered labels, and where they stand. */
  readonly names?: readonly string[]
  readonly namesFrom?: string
  /** How classes get names whose labels are codes, by the code of the first. */
  readonly toName: (code: string) => string
  /** Of the split, where the rows do not say which part they belong to (default 1). */
  readonly seed?: number
  /** The same; default TEST_SHARE. */
  readonly testShare?: number
}

/**
 * Rows as a data set. Parts are as the rows say; where they name a val part and no test part, val is tested on; where
 * all is train, or nothing is said, the split is made by seed as that of an image folder. Classes are in the order of
 * `resolveLabels`; items keep the order of the rows. Warns of an image in train and test, of one with two labels, and of names
 * that are codes. Rows with the label `_other` are of none of the classes.
 *
 * @throws FileError where some rows name a part and others do not, and as resolveLabels and checkDistinctClasses do
 */
export async function datasetOfRows(
  all: readonly LabelledRow[],
  about: RowsAbout,
  hooks: Hooks = {},
): Promise<Dataset> {
  const isOther = ({ label, name }: LabelledRow) => isOthers(name ?? String(label))
  const rows = await filterBreathing(all, (row) => !isOther(row))
  const ofNone = rows.length < all.length ? await filterBreathing(all, isOther) : []
  if (rows.length === 0)
    throw new FileError(`${about.source} has only pictures of no class (${OTHERS})`, 'add rows of two classes at least')
  const { classNames, labels } = await resolveLabels(rows, about.names, about.namesFrom)
  checkDistinctClasses(about.source, classNames, 'spell them the same way')
  warnOfCodes(about.source, classNames, 'labels', about.toName, hooks)
  const label = labels.values()
  const placed = await mapBreathing(rows, (row) => ({ ...row, index: label.next().value ?? 0 }))
  const { parts, note } = await partsOf(placed, classNames, about)
  if (note !== undefined) hooks.onWarning?.(`${about.source}: ${note}`)
  await warnOfRepeats(placed, parts, about.source, hooks)
  const others =
    parts.testShare === undefined ? othersBySplit(ofNone) : await othersBySeed(ofNone, about.seed ?? 1, about.testShare)
  return { name: about.name, root: about.root, classNames, ...parts, others }
}

/** As the rows say: what is for validation is neither learned from nor tested on. */
function othersBySplit(rows: readonly LabelledRow[]): Dataset['others'] {
  const part = (wanted: Part) => rows.flatMap(({ path, split }) => (split === wanted ? [{ path, label: 0 }] : []))
  return rows.length === 0 ? undefined : { train: part('train'), test: part('test') }
}

type Placed = LabelledRow & { readonly index: number }
type Parts = Pick<Dataset, Part | 'testShare'>

async function partsOf(
  rows: readonly Placed[],
  classNames: readonly string[],
  { source, seed = 1, testShare }: RowsAbout,
): Promise<{ parts: Parts; note?: string }> {
  await breathe()
  const named = await filterBreathing(rows, ({ split }) => split !== undefined)
  const lost = rows.find(({ split }) => split === undefined)
  if (named.length > 0 && lost !== undefined) {
    throw new FileError(`${lost.where} has no split, but other rows of ${source} do`, 'give a split for all rows')
  }
  const part = async (wanted: Part): Promise<Item[]> => {
    const own = await filterBreathing(named, ({ split }) => split === wanted)
    return mapBreathing(own, ({ path, index }) => ({ path, label: index }))
  }
  const [train, val, test] = [await part('train'), await part('val'), await part('test')]
  if (test.length > 0) return { parts: { train, val, test } }
  if (val.length > 0) {
    return { parts: { train, val: [], test: val }, note: 'there are no test images: the validation images are used' }
  }
  const classes = classNames.map((name) => ({ name, images: [] as Placed[] }))
  await mapBreathing(rows, (row) => classes[row.index]?.images.push(row))
  const allTrain = 'all images are for training: a seed decides which are held out for testing'
  const note = named.length > 0 && testShare !== 0 ? allTrain : undefined
  return { parts: await splitBySeed(classes, seed, testShare), note }
}

async function warnOfRepeats(
  rows: readonly Placed[],
  parts: Parts,
  source: string,
  { onWarning }: Hooks,
): Promise<void> {
  if (onWarning === undefined) return
  const first = new Map<string, Placed>()
  const identityOf = new Map<string, string>()
  const contradictory: Placed[] = []
  await mapBreathing(rows, (row) => {
    identityOf.set(row.path, row.identity)
    const earlier = first.get(row.identity)
    if (earlier === undefined) first.set(row.identity, row)
    else if (earlier.index !== row.index) contradictory.push(row)
  })
  const trained = new Set(await mapBreathing(parts.train, ({ path }) => identityOf.get(path)))
  await breathe()
  const tested = await filterBreathing(parts.test, ({ path }) => trained.has(identityOf.get(path)))
  if (contradictory.length > 0) {
    const [{ where, path } = { where: '', path: '' }] = contradictory
    onWarning(`${source}: ${images(contradictory)} in two classes; the first is ${path} (${where})`)
  }
  if (tested.length > 0) {
    onWarning(`${source}: ${images(tested)} in both train and test; the first is ${tested[0]?.path}`)
  }
}

const images = ({ length }: readonly unknown[]) => (length === 1 ? '1 image is' : `${length} images are`)
