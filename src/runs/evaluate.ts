import { anObject, aText, checkArguments, checkOptions, someHooks } from '../base/arguments.ts'
import { FileError } from '../base/errors.ts'
import type { AskingHooks, Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import type { Item } from '../data/items.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import type { Coverage } from '../learning/conformal.ts'
import type { AnyMethod } from '../methods/index.ts'
import { promptsFor } from '../methods/templates-setting.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import { DEFAULT_TEMPLATES, type Templates } from '../methods/zero-shot/templates.ts'
import { checkTableFile } from '../node/table.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import { classifierOf, type DecideOptions, decider, type Label, labelsOf } from '../trained/classify.ts'
import { checkTransfers, labelsAmong, learnedPart, picturesFor, warnOfOtherShare } from '../trained/evaluate.ts'
import type { SavedRun } from '../trained/learned.ts'
import { type Judged, judge, judged, logitsOf, type Shares, sharesOf } from '../trained/measure.ts'
import type { EncodedItems } from '../trained/pictures.ts'
import { comparedPrecision, type UsedPrecision } from '../trained/precision.ts'
import { checkRunOptions } from '../trained/run-options.ts'
import { decidedOn, type Rejection } from '../trained/trust.ts'
import { chooseModel } from './choose-model.ts'
import { crossValidated } from './cross-validated.ts'
import {
  checkThere,
  DATA_OPTIONS,
  type DataOptions,
  NoTestImages,
  openForTesting,
  type ShareOptions,
} from './dataset.ts'
import { type BesideOptions, type OpenModelOptions, withModel, withRuntimeBeside } from './model.ts'
import { clipOf } from './open-run.ts'
import { pictureFiles } from './picture-files.ts'
import { encodeSets, type PictureOptions, type PictureWays, pictureReader } from './pictures.ts'
import { writePredictions } from './predictions.ts'
import { readSavedRun } from './saved-run.ts'

/** Accuracy on test images, and how they were cut. */
export interface Evaluated extends Shares {
  /** Only of a run that withheld none of these pictures: its accuracy is that of learners that had not seen them. */
  readonly measured?: 'cross-validated'
  /** How the pictures were cut. */
  readonly transforms: Transforms
  /** Where int8 was asked for: what it loses, and whether it was used. */
  readonly precision?: UsedPrecision
  /** Files of predictions that were written, where they were asked for. */
  readonly written?: readonly string[]
}

/** The same of hand-written prompts. */
export interface ZeroShotEvaluated extends Evaluated {
  /** As it was named, or what was taken where none was; `fast`, `good` and `best` as the hub id that they stand for. */
  readonly model: string
}

/** What a run's threshold and label sets are worth on test images, where it has some or they are asked for. */
export interface EvaluatedRun extends Evaluated {
  readonly reject?: Rejection & { readonly threshold: number }
  readonly sets?: Coverage & { readonly coverage: number }
}

export interface AskOptions extends RuntimeOptions, PictureWays, DataOptions {
  /** Where the model of the run is now; default: where it was. */
  readonly model?: string
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
}

/** Where what a classifier says of each picture is written. */
export interface PredictionOptions {
  /** File for class, answer, logits and probabilities of each picture that is tested, in the format that its ending says. */
  readonly predictions?: string
}

/** Options of evaluateRun. */
export interface EvaluateOptions extends AskOptions, ShareOptions, DecideOptions, PredictionOptions {
  /** Use what was learned with the data set's class names, whatever the run's own. */
  readonly transfer?: boolean
}

/** Options of evaluateZeroShot. */
export interface ZeroShotOptions extends RuntimeOptions, PictureOptions, DataOptions, ShareOptions, PredictionOptions {
  /** A word for the CLIP, as --model takes it; default: the bundled one, and for photographs one that is in the hub's cache. */
  readonly model?: string
  /** Default: the data set's own. */
  readonly templates?: Templates
}

const ZERO_SHOT_OPTIONS: Readonly<Record<keyof ZeroShotOptions, true>> = {
  model: true,
  templates: true,
  predictions: true,
  testShare: true,
  precision: true,
  ...DATA_OPTIONS,
}

/** Accuracy of hand-written prompts on a data set's test images. */
export async function evaluateZeroShot(
  data: string,
  options: ZeroShotOptions = {},
  hooks: AskingHooks = {},
): Promise<ZeroShotEvaluated> {
  checkOptions('evaluateZeroShot', options, Object.keys(ZERO_SHOT_OPTIONS))
  return evaluateZeroShotAsGiven(data, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function evaluateZeroShotAsGiven(
  data: string,
  options: ZeroShotOptions = {},
  hooks: AskingHooks = {},
): Promise<ZeroShotEvaluated> {
  checkArguments('evaluateZeroShot', { data, options, hooks }, { data: aText, options: anObject, hooks: someHooks })
  checkRunOptions('evaluateZeroShot', options)
  const { predictions } = options
  if (predictions !== undefined) await checkTableFile(predictions, [data])
  // nothing is learned from any: all are tested where the data set marks none
  const dataset = await openForTesting(data, options, hooks, 1)
  const { classNames, test, root } = dataset
  await checkThere(dataset, test, options)
  const { model, place } = await chooseModel(options.model, data, test, hooks)
  const templates = promptsFor(classNames, options.templates) ?? dataset.templates ?? DEFAULT_TEMPLATES
  const { transforms = DEFAULT_TRANSFORMS } = options
  return withModel(place, { ...options, items: test }, hooks, async (clip, runtime) => {
    const compared = { reader: pictureReader(options.cache), clip, runtime, items: test, classNames, templates }
    const precision = await comparedPrecision(compared, options, hooks)
    const encodes = { ...options, precision: precision?.used }
    const classifier = await zeroShotClassifier({ clip, runtime, classNames, templates })
    const [images] = await encodeSets(clip, runtime, [{ items: test }], encodes, hooks)
    const { labels, items } = images
    const ask = () => said(classifier, clip, images, options, hooks, predictions !== undefined)
    const { answers, above, logits } = await ask().finally(() => classifier.dispose())
    const written = logits && (await writePredictions(predictions, { root, items, labels, classNames, logits }))
    return { model, transforms, precision, ...sharesOf(classNames, answers, labels, above), written }
  })
}

const EVALUATE_OPTIONS: Readonly<Record<keyof EvaluateOptions, true>> = {
  transfer: true,
  predictions: true,
  reject: true,
  sets: true,
  model: true,
  methods: true,
  testShare: true,
  ...DATA_OPTIONS,
}

/**
 * Accuracy of a finished run on a data set's test images: of the data set it learned from, those that training left out,
 * by the run's own share of test images.
 * Its classes must be among the run's; with `transfer` they take the place of the run's (the paper's cross-data-set
 * transfer), for methods whose learning says something of other classes.
 *
 * @throws UsageError where classes and run do not go together
 */
export async function evaluateRun(
  run: string,
  data: string,
  options: EvaluateOptions = {},
  hooks: Hooks = {},
): Promise<EvaluatedRun> {
  checkOptions('evaluateRun', options, Object.keys(EVALUATE_OPTIONS))
  return evaluateRunAsGiven(run, data, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function evaluateRunAsGiven(
  run: string,
  data: string,
  options: EvaluateOptions = {},
  hooks: Hooks = {},
): Promise<EvaluatedRun> {
  checkArguments(
    'evaluateRun',
    { run, data, options, hooks },
    { run: aText, data: aText, options: anObject, hooks: someHooks },
  )
  const { predictions } = options
  checkRunOptions('evaluateRun', options)
  if (predictions !== undefined) await checkTableFile(predictions, [data])
  const saved = await readSavedRun(run, options.methods)
  const known = await crossValidated(saved, data, options, hooks)
  if (known !== undefined) return known
  const { asked, items, others, root } = await testPictures(saved, data, options, hooks)
  decider(asked, options)
  const pictures = picturesFor(saved, options, hooks)
  const { transforms } = pictures
  return withClassifier(asked, { ...options, items }, hooks, async (clip, runtime, classifier) => {
    const [images, ofNone] = await encodeSets(clip, runtime, [{ items }, { items: others }], pictures, hooks)
    const { labels, items: found } = images
    const { classNames, trust } = asked
    const { reject = trust?.reject, sets = trust?.sets } = options
    const whole = (predictions ?? reject ?? sets) !== undefined
    const { answers, above, logits } = await said(classifier, clip, images, pictures, hooks, whole)
    const shares = { transforms, ...sharesOf(classNames, answers, labels, above) }
    if (logits === undefined) return shares
    const none = await logitsOf(pictureReader(options.cache), classifier, clip, ofNone, pictures, hooks)
    const decided = await decidedOn({ logits, labels }, none, trust, options)
    const told = { root, items: found, labels, classNames, logits, temperature: trust?.temperature }
    return { ...shares, ...decided, written: await writePredictions(predictions, told) }
  })
}

/** What a classifier says of labelled pictures; the logits of all at once only where they are asked for (`whole`). */
async function said(
  classifier: ImageClassifier,
  clip: Clip,
  images: EncodedItems,
  options: PictureOptions,
  hooks: Hooks,
  whole: boolean,
): Promise<Judged & { readonly logits?: FloatTensor }> {
  const reader = pictureReader(options.cache)
  if (!whole) return judge(reader, classifier, clip, images, options, hooks)
  const logits = await logitsOf(reader, classifier, clip, images, options, hooks)
  return { logits, ...(await judged(logits, images.labels)) }
}

/** Test pictures of a data set for a run, labelled by the run's classes or with `transfer` by the data set's. */
export async function testPictures(
  saved: SavedRun,
  data: string,
  options: EvaluateOptions,
  hooks: Hooks,
): Promise<{
  readonly asked: SavedRun
  readonly items: readonly Item[]
  readonly others: readonly Item[]
  readonly root: string
}> {
  const { run } = saved
  const { transfer = false, exif = saved.exif ?? 'ignore' } = options
  const canTransfer = saved.method.transfers(saved.settings)
  if (transfer) checkTransfers(saved)
  const whole = await openForTesting(data, { ...options, exif }, hooks, saved.testShare).catch((cause: unknown) => {
    throw cause instanceof NoTestImages && saved.testShare === 0 ? withheldNone(run, data, cause) : cause
  })
  warnOfOtherShare(saved, options, hooks)
  const dataset = transfer ? whole : learnedPart(saved, whole, hooks)
  const { classNames, templates = DEFAULT_TEMPLATES, test } = dataset
  const { others = { train: [], test: [] } } = dataset
  await checkThere(dataset, [...test, ...others.test], options)
  // what was learned of the trust in its own classes says nothing of others
  const asked = transfer ? { ...saved, classNames, templates, trust: undefined } : saved
  const labels = labelsAmong(asked.classNames, classNames, { run, data, canTransfer })
  const items = test.map((item) => ({ ...item, label: labels[item.label] ?? 0 }))
  return { asked, items, others: others.test, root: dataset.root }
}

const withheldNone = (run: string, data: string, cause: unknown): FileError =>
  new FileError(
    `${data} has no test images, and ${run} withheld none of the pictures that it learned from`,
    'give pictures that it has not seen (with --test-share 1, where they are in a folder without test/), or learn again with --test-share 0.3',
    { cause },
  )

export interface Classified {
  readonly file: string
  /** Most probable first. */
  readonly labels: readonly Label[]
  /** Of a run with a threshold, or where one is asked for: whether it is none of the classes. */
  readonly none?: boolean
  /** Of a run with label sets, or where they are asked for. */
  readonly set?: readonly string[]
}

export interface ClassifyOptions extends AskOptions, DecideOptions, PredictionOptions {
  /** Classes of each picture. */
  readonly top: number
}

/** What a finished run sees on pictures, in files and in folders: the most probable classes of each. */
export async function classifyImages(
  run: string,
  files: readonly string[],
  options: ClassifyOptions,
  hooks: Hooks,
): Promise<Classified[]> {
  const { predictions } = options
  if (predictions !== undefined) await checkTableFile(predictions)
  const saved = await readSavedRun(run, options.methods)
  const decide = decider(saved, options)
  const { reject = saved.trust?.reject } = options
  const pictures = picturesFor(saved, options, hooks)
  const { exif = saved.exif ?? 'ignore' } = options
  const items = (await pictureFiles(files, hooks)).map((path) => ({ path, label: 0, turned: exif === 'turn' }))
  return withClassifier(saved, { ...options, items }, hooks, async (clip, runtime, classifier) => {
    const [images] = await encodeSets(clip, runtime, [{ items }], pictures, hooks)
    const logits = await logitsOf(pictureReader(options.cache), classifier, clip, images, pictures, hooks)
    const { classNames } = classifier
    const temperature = saved.trust?.temperature
    await writePredictions(predictions, { items: images.items, classNames, logits, temperature })
    const labels = labelsOf(classifier, logits, temperature)
    return images.items.map(({ path }, i) => {
      const { label, set } = decide(labels[i] ?? [])
      const none = reject === undefined ? undefined : label === null
      return { file: path, labels: labels[i]?.slice(0, options.top) ?? [], none, set }
    })
  })
}

/** The classifier of a run, on its model; all is freed afterwards. */
export async function withClassifier<T>(
  saved: SavedRun,
  options: AskOptions & BesideOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime, classifier: ImageClassifier) => Promise<T>,
): Promise<T> {
  const open = (how: OpenModelOptions) => clipOf(saved, options.model, hooks, how)
  // one that looks at pixels has a tower of its own
  const items = saved.method.pictures === 'pixels' ? [] : options.items
  return withRuntimeBeside(open, { ...options, items }, hooks, async (clip, runtime) => {
    const classifier = await classifierOf(saved, clip, runtime)
    return work(clip, runtime, classifier).finally(() => classifier.dispose())
  })
}
