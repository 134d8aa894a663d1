import { z } from 'zod'
import { anObject, aTensor, aText, checkArguments, checkOptions, someHooks, texts, wholes } from '../base/arguments.ts'
import { FileError, ShapeError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { Precision } from '../clip/precision.ts'
import { type Dataset, exifOfDataset, givenFrom, type Item } from '../data/items.ts'
import { PARTS, type Part } from '../data/split.ts'
import { FEATURES_FORMAT } from '../datasets/features-file.ts'
import { isImageName } from '../datasets/image-names.ts'
import { FLOAT_TYPES, type FloatType } from '../formats/half.ts'
import { dims, type FloatTensor } from '../graph/tensor.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { statIfThere } from '../node/files.ts'
import { listFolder } from '../node/list-folder.ts'
import { BUNDLED } from '../node/package.ts'
import { type Column, checkTableFile, writeTable } from '../node/table.ts'
import type { Exif } from '../pictures/picture.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { imageRows } from '../trained/pictures.ts'
import { comparedPrecision, type UsedPrecision } from '../trained/precision.ts'
import { checkRunOptions } from '../trained/run-options.ts'
import { chooseModel } from './choose-model.ts'
import { checkThere, DATA_OPTIONS, type DataOptions, openAsGiven, type ShareOptions } from './dataset.ts'
import { type OpenModelOptions, openModel, withRuntimeBeside } from './model.ts'
import { pictureFiles } from './picture-files.ts'
import { encodeSets, type PictureOptions, pictureReader } from './pictures.ts'
import { calledIn } from './predictions.ts'

/** Options of featuresOfData. */
export interface DataFeaturesOptions extends RuntimeOptions, PictureOptions, DataOptions, ShareOptions {
  /** A word for the CLIP, as --model takes it; default: the bundled one. */
  readonly model?: string
}

/** Features of all pictures of a data set. */
export interface DataFeatures {
  /** `(pictures, embed)`, as the image tower gives them: not normalised. */
  readonly features: FloatTensor
  /** What the data set calls each picture. */
  readonly files: readonly string[]
  readonly classNames: readonly string[]
  /** Of each picture an index into `classNames`, and its part; undefined for a folder of pictures without classes. */
  readonly labels?: readonly number[]
  readonly splits?: readonly Part[]
  readonly model: { readonly name: string; readonly fingerprint: string }
  readonly transforms: Transforms
  readonly exif: Exif
  /** In what the image tower computed; left out: in float32. */
  readonly precision?: Precision
  /** Where int8 was asked for: what it loses, and whether it was used. */
  readonly compared?: UsedPrecision
}

const OPTIONS: Readonly<Record<keyof DataFeaturesOptions, true>> = {
  model: true,
  testShare: true,
  precision: true,
  ...DATA_OPTIONS,
}

/**
 * Features of all pictures of a data set (as `openDataset` takes it), or of a folder of pictures without classes.
 *
 * @throws FileError, UsageError where data set or model cannot be used
 */
export async function featuresOfData(
  data: string,
  options: DataFeaturesOptions = {},
  hooks: Hooks = {},
): Promise<DataFeatures> {
  checkOptions('featuresOfData', options, Object.keys(OPTIONS))
  return featuresAsGiven(data, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function featuresAsGiven(
  data: string,
  options: DataFeaturesOptions = {},
  hooks: Hooks = {},
): Promise<DataFeatures> {
  checkArguments('featuresOfData', { data, options, hooks }, { data: aText, options: anObject, hooks: someHooks })
  checkRunOptions('featuresOfData', options)
  const plain = await withoutClasses(data)
  const dataset = plain ? await picturesAlone(data, options, hooks) : await openAsGiven(data, options, hooks, 0)
  // what is to be tested is said where the data set says it, or somebody asked for it
  const isMarked = !plain && (dataset.testShare === undefined || options.testShare !== undefined)
  const parts = PARTS.flatMap((part) => dataset[part].map((item) => ({ item, part })))
  // a split that nobody asked for leaves an order that says nothing
  const called = (item: Item) => calledIn(dataset.root, item)
  if (!isMarked && !plain) {
    parts.sort(({ item: a }, { item: b }) => a.label - b.label || (called(a) < called(b) ? -1 : 1))
  }
  const items = parts.map(({ item }) => item)
  if (items.length === 0) throw new FileError(`${data} has no pictures`, 'give a data set that has some')
  await checkThere(dataset, items, options)
  const from = givenFrom(items)
  const { place } = await chooseModel(options.model ?? (from && BUNDLED), data, items, hooks)
  const transforms = from?.transforms ?? options.transforms ?? DEFAULT_TRANSFORMS
  const open = (how: OpenModelOptions) => openModel(place, hooks, how)
  return withRuntimeBeside(open, { ...options, items }, hooks, async (opened, runtime) => {
    const { classNames, templates = DEFAULT_TEMPLATES } = dataset
    const { clip } = opened
    const compared = { reader: pictureReader(options.cache), clip, runtime, items, classNames, templates }
    const used = await comparedPrecision(compared, { ...options, transforms }, hooks)
    const encodes = { ...options, transforms, precision: used?.used }
    const [encoded] = await encodeSets(clip, runtime, [{ items }], encodes, hooks)
    const partOf = new Map(parts.map(({ item, part }) => [item, part]))
    return {
      features: imageRows(encoded),
      files: encoded.items.map(called),
      classNames,
      labels: plain ? undefined : encoded.labels,
      splits: !isMarked ? undefined : encoded.items.map((item) => partOf.get(item) ?? 'train'),
      model: { name: opened.name, fingerprint: opened.clip.fingerprint },
      transforms,
      exif: exifOfDataset(dataset),
      precision: used?.used ?? from?.precision,
      compared: used,
    }
  })
}

/** Whether a word means a folder of pictures that has no folders of classes. */
async function withoutClasses(data: string): Promise<boolean> {
  if (!(await statIfThere(data))?.isDirectory()) return false
  const { files, folders } = await listFolder(data)
  return folders.length === 0 && files.some(isImageName)
}

async function picturesAlone(data: string, { exif = 'turn' }: PictureOptions, hooks: Hooks): Promise<Dataset> {
  const turned = exif === 'turn' ? true : undefined
  const test = (await pictureFiles([data], hooks)).map((path): Item => ({ path, label: 0, turned }))
  return { name: data, root: data, classNames: [], train: [], val: [], test }
}

/** How features are written. */
export interface WriteFeaturesOptions {
  /** Type of their values: float16 (.npy, .safetensors) takes half the room, and is within a thousandth of each. Default: float32. */
  readonly dtype?: FloatType
}

/**
 * Writes features of pictures, which `train` and others read again as a data set; the ending of the file says the format (see
 * writeTable): .csv, .jsonl, .parquet, .npy, or .safetensors, which keeps everything.
 *
 * @returns the files that were written
 * @throws UsageError for another ending; CoopError for a value that is too large for float16
 */
export async function writeFeatures(
  file: string,
  features: DataFeatures,
  { dtype = 'float32' }: WriteFeaturesOptions = {},
): Promise<string[]> {
  checkArguments(
    'writeFeatures',
    { file, features, dtype },
    { file: aText, features: anObject, dtype: z.enum(FLOAT_TYPES) },
  )
  const { files, classNames, labels, splits, features: values, model, transforms, exif, precision } = features
  checkArguments(
    'writeFeatures',
    { features: values, files, classNames, labels, splits },
    { features: aTensor, files: texts, classNames: texts, labels: wholes.optional(), splits: texts.optional() },
  )
  const [n] = dims(values, 2, 'features')
  for (const list of [files, labels, splits]) {
    if (list !== undefined && list.length !== n)
      throw new ShapeError(`features of ${n} pictures, but ${list.length} names, labels or splits`)
  }
  await checkTableFile(file, [], dtype)
  const columns: Column[] = [{ kind: 'text', name: 'file', many: 'files', values: files }]
  if (labels) columns.push({ kind: 'class', name: 'label', many: 'labels', values: labels, classNames })
  if (splits) columns.push({ kind: 'text', name: 'split', many: 'splits', values: splits })
  columns.push({ kind: 'matrix', name: 'feature', many: 'features', values })
  return writeTable(file, {
    rows: files.length,
    columns,
    dtype,
    about: { format: FEATURES_FORMAT, model, transforms, exif, precision },
  })
}
