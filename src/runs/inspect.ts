import { basename, relative, resolve } from 'node:path'
import { anObject, aText, checkArguments, checkOptions, optional, someHooks } from '../base/arguments.ts'
import { FileError, UsageError } from '../base/errors.ts'
import { mapLimited } from '../base/overlap.ts'
import type { Hooks } from '../base/progress.ts'
import { type Dataset, exifOf, type Item } from '../data/items.ts'
import type { Part } from '../data/split.ts'
import { openDataset } from '../datasets/open.ts'
import { floatTensor } from '../graph/tensor.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { checkWritableFile, writeFileAtomic } from '../node/files.ts'
import { packageVersion } from '../node/package.ts'
import { jsonObjectIfAny } from '../node/run-folder.ts'
import { thumbnail } from '../node/thumbnail.ts'
import { inspectionPage } from '../report/inspect/page.ts'
import { picturesShown } from '../report/inspect/shown.ts'
import { described, subsetOf } from '../trained/drawn.ts'
import { labelsAmong, learnedPart, picturesFor } from '../trained/evaluate.ts'
import { inspectionTables } from '../trained/inspect/tables.ts'
import type { Inspected, Inspection } from '../trained/inspect/types.ts'
import type { SavedRun } from '../trained/learned.ts'
import { logitsOf } from '../trained/measure.ts'
import type { RunRecord } from '../trained/record.ts'
import { checkShareUsed, checkThere, DATA_OPTIONS, type ShareOptions } from './dataset.ts'
import { type AskOptions, withClassifier } from './evaluate.ts'
import { encodeSets, pictureReader } from './pictures.ts'
import { readRecord, runFile } from './run-folder.ts'
import { readSavedRun } from './saved-run.ts'

/** Options of inspectRun. */
export interface InspectOptions extends AskOptions, ShareOptions {
  /** Pictures to look at, as `train` takes a data set; default: those that the run learned from. */
  readonly data?: string
  /** HTML file to write the page to; default: none is written. */
  readonly out?: string
}

const INSPECT_OPTIONS: Readonly<Record<keyof InspectOptions, true>> = {
  data: true,
  out: true,
  model: true,
  methods: true,
  testShare: true,
  ...DATA_OPTIONS,
}

/**
 * How good a run is and where it errs: tables of its answers on the test pictures, of labels that are probably wrong,
 * of pictures that are the same, of outliers, and of the classes that need pictures most; with `out` also as a page
 * that needs nothing but itself.
 *
 * Without test pictures it works on those learned from, and says that the run has seen them.
 *
 * @throws FileError where there is no run, or the pictures are not there; UsageError where classes and run do not go
 * together, or `out` is no HTML file
 */
export async function inspectRun(run: string, options: InspectOptions = {}, hooks: Hooks = {}): Promise<Inspection> {
  checkOptions('inspectRun', options, Object.keys(INSPECT_OPTIONS))
  return inspectRunAsGiven(run, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function inspectRunAsGiven(
  run: string,
  options: InspectOptions = {},
  hooks: Hooks = {},
): Promise<Inspection> {
  checkArguments('inspectRun', { run, options, hooks }, { run: aText, options: anObject, hooks: someHooks })
  const { data: word, out } = options
  checkArguments('inspectRun', { data: word, out }, { data: optional(aText), out: optional(aText) })
  const saved = await readSavedRun(run, options.methods)
  if (out !== undefined) await checkPage(out)
  const record = await readRecord(run)
  const data = word ?? record?.dataset
  if (data === undefined)
    throw new UsageError(`${run} does not say which pictures it learned from`, 'name them: coop-ts inspect RUN DATA')
  const found = await labelledPictures(saved, record, data, options, hooks)
  const { items, looked } = await lookAt(saved, found, options, hooks)

  const { method, settings, model } = saved
  const inspection: Inspection = {
    run: basename(resolve(run)),
    data: basename(found.dataset.name),
    method: method.title(settings),
    // where it lies is nobody's business
    model: model.place === undefined ? model.name : basename(model.name),
    version: packageVersion(),
    learnedFrom: found.learnedFrom,
    ...looked,
  }
  if (out !== undefined) await writeFileAtomic(out, inspectionPage(inspection, await small(inspection, items, hooks)))
  return inspection
}

/** A file of another kind is not written over. */
async function checkPage(out: string): Promise<void> {
  if (!/\.html?$/i.test(out))
    throw new UsageError(`the page is an HTML file, not ${out}`, 'give a name that ends in .html')
  await checkWritableFile(out)
}

interface Labelled {
  readonly dataset: Dataset
  readonly items: readonly (Item & { readonly part: Part })[]
  readonly learnedFrom: Inspection['learnedFrom']
}

/** The pictures that a run is looked at with, labelled by its classes. */
async function labelledPictures(
  saved: SavedRun,
  record: RunRecord | undefined,
  data: string,
  options: InspectOptions,
  hooks: Hooks,
): Promise<Labelled> {
  const { run, settings, method, split } = saved
  const { exif = saved.exif ?? 'ignore', cache = defaultCacheDir(), testShare = saved.testShare } = options
  const whole = await openDataset(data, { ...options, exif, cache, testShare }, hooks).catch((cause: unknown) => {
    if (options.data !== undefined || !(cause instanceof FileError || cause instanceof UsageError)) throw cause
    throw new FileError(
      `the pictures that ${run} learned from are no longer at ${data}: ${cause.message}`,
      `say where they are: coop-ts inspect ${run} DATA`,
      { cause },
    )
  })
  checkShareUsed(whole, data, options)
  const dataset = learnedPart(saved, whole, hooks)
  const labels = labelsAmong(saved.classNames, dataset.classNames, { run, data, canTransfer: false })
  const labelled = (items: readonly Item[], part: Part) =>
    items.map((item) => ({ ...item, label: labels[item.label] ?? 0, part }))

  const { shots = 0, seed = 1 } = record ?? {}
  const drawn = subsetOf({ shots, seed, split, validates: method.validates?.(settings) }, whole)
  const learnedFrom = shots === 0 ? 'none' : await whetherLearned(run, record, drawn.train, options)
  const test = labelled(dataset.test, 'test')
  const train = learnedFrom === 'none' ? [] : labelled(drawn.train, 'train')
  const val = learnedFrom === 'none' || dataset.valIsTest ? [] : labelled(drawn.val, 'val')
  const items = [...test, ...val, ...train]
  // all of another data set without test pictures are new to the run
  const all = items.length > 0 ? items : labelled(dataset.train, 'test')
  if (all.length === 0) throw new FileError(`${data} has no pictures`, 'give pictures of the classes of the run')
  await checkThere(dataset, all, options)
  return { dataset, items: all, learnedFrom }
}

/** Whether pictures are those that a run learned from, by their content. */
async function whetherLearned(
  run: string,
  record: RunRecord | undefined,
  train: readonly Item[],
  { data, cache }: InspectOptions,
): Promise<Inspection['learnedFrom']> {
  const then: unknown = Object((await jsonObjectIfAny(runFile(run, 'settings')))?.pictures).train
  if (typeof then === 'string' && then === (await described(pictureReader(cache), train))) return 'these'
  const sameWord = data === undefined || (record !== undefined && resolve(data) === resolve(record.dataset))
  return sameWord ? 'changed' : 'none'
}

const READ_AT_A_TIME = 16

/** The tables of some pictures, and those pictures that could be read. */
async function lookAt(
  saved: SavedRun,
  { dataset, items }: Labelled,
  options: InspectOptions,
  hooks: Hooks,
): Promise<{ readonly items: readonly Item[]; readonly looked: Awaited<ReturnType<typeof inspectionTables>> }> {
  const reader = pictureReader(options.cache)
  const pictures = picturesFor(saved, options, hooks)
  return withClassifier(saved, options, hooks, async (clip, runtime, classifier) => {
    const [images] = await encodeSets(clip, runtime, [{ items }], pictures, hooks)
    if (images.items.length === 0)
      throw new FileError(`no picture of ${dataset.name} can be read`, 'give other pictures')
    const { templates = saved.templates ?? DEFAULT_TEMPLATES } = dataset
    const byHand = await zeroShotClassifier({ clip, runtime, classNames: saved.classNames, templates })
    const zeroShot = await logitsOf(reader, byHand, clip, images, pictures).finally(() => byHand.dispose())
    const logits = await logitsOf(reader, classifier, clip, images, pictures, hooks)
    const partOf = new Map<Item, Part>(items.map((item) => [item, item.part]))
    const about = await mapLimited(images.items, READ_AT_A_TIME, async (item) => {
      hooks.signal?.throwIfAborted()
      const content = await reader.content(item.path, exifOf(item))
      return { file: nameOf(dataset, item), part: partOf.get(item) ?? 'test', label: item.label, content }
    })
    const [n = 0, , embed = 0] = images.features.shape
    const inspected: Inspected = {
      classNames: classifier.classNames,
      pictures: about,
      features: floatTensor([n, embed], images.features.data),
      logits,
      zeroShot,
    }
    return { items: images.items, looked: await inspectionTables(inspected, runtime, hooks) }
  })
}

/** What a picture is called: its name in the data set, or its path below it. */
function nameOf({ root }: Dataset, { name, path }: Item): string {
  if (name !== undefined) return name
  const below = relative(root, path).replaceAll('\\', '/')
  return below.startsWith('..') ? basename(path) : below
}

const DECODED_AT_A_TIME = 4

/** Small copies of the pictures that the page shows; those that cannot be read are left out. */
async function small(
  inspection: Inspection,
  items: readonly Item[],
  { signal, onProgress }: Hooks,
): Promise<ReadonlyMap<number, string>> {
  const shown = picturesShown(inspection)
  let done = 0
  const copies = await mapLimited(shown, DECODED_AT_A_TIME, async (place) => {
    signal?.throwIfAborted()
    const item = items[place]
    const copy = item && (await thumbnail(item.path, exifOf(item)).catch(() => undefined))
    onProgress?.({ kind: 'render', done: ++done, total: shown.length })
    return copy === undefined ? [] : [[place, copy] as const]
  })
  return new Map(copies.flat())
}
