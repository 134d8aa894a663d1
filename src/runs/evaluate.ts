import { anObject, aText, checkArguments, checkOptions, someHooks } from '../base/arguments.ts'
import type { AskingHooks, Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import type { Item } from '../data/items.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import type { AnyMethod } from '../methods/index.ts'
import { promptsFor } from '../methods/templates-setting.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import { DEFAULT_TEMPLATES, type Templates } from '../methods/zero-shot/templates.ts'
import { checkTableFile } from '../node/table.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import { classifierOf, type Label, labelsOf } from '../trained/classify.ts'
import { checkTransfers, labelsAmong, learnedPart, transformsFor, warnOfOtherShare } from '../trained/evaluate.ts'
import type { SavedRun } from '../trained/learned.ts'
import { judge, judged, logitsOf, type Shares, sharesOf } from '../trained/measure.ts'
import { chooseModel } from './choose-model.ts'
import { checkThere, type DataOptions, openForTesting, type ShareOptions } from './dataset.ts'
import { withModel, withRuntime } from './model.ts'
import { clipOf } from './open-run.ts'
import { pictureFiles } from './picture-files.ts'
import { encodeSets, type PictureOptions, pictureReader } from './pictures.ts'
import { calledIn, writePredictions } from './predictions.ts'
import { readSavedRun } from './saved-run.ts'

/** Accuracy on test images, and how they were cut. */
export interface Evaluated extends Shares {
  /** How the pictures were cut. */
  readonly transforms: Transforms
  /** Files of predictions that were written, where they were asked for. */
  readonly written?: readonly string[]
}

/** The same of hand-written prompts. */
export interface ZeroShotEvaluated extends Evaluated {
  /** As it was named, or what was taken where none was; `fast`, `good` and `best` as the hub id that they stand for. */
  readonly model: string
}

export interface AskOptions extends RuntimeOptions, PictureOptions, DataOptions {
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
export interface EvaluateOptions extends AskOptions, ShareOptions, PredictionOptions {
  /** Use what was learned with the data set's class names, whatever the run's own. */
  readonly transfer?: boolean
}

/** Options of evaluateZeroShot. */
export interface ZeroShotOptions extends RuntimeOptions, PictureOptions, DataOptions, ShareOptions {
  /** A word for the CLIP, as --model takes it; default: the bundled one, and for photographs one that is in the hub's cache. */
  readonly model?: string
  /** Default: the data set's own. */
  readonly templates?: Templates
}

const ZERO_SHOT_OPTIONS: Readonly<Record<keyof ZeroShotOptions, true>> = {
  model: true,
  templates: true,
  device: true,
  threads: true,
  cache: true,
  skipBadImages: true,
  transforms: true,
  exif: true,
  root: true,
  imageColumn: true,
  labelColumn: true,
  testShare: true,
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
  const dataset = await openForTesting(data, options, hooks)
  const { classNames, test } = dataset
  await checkThere(dataset, test, options)
  const { model, place } = await chooseModel(options.model, data, test, hooks)
  const templates = promptsFor(classNames, options.templates) ?? dataset.templates ?? DEFAULT_TEMPLATES
  const { transforms = DEFAULT_TRANSFORMS } = options
  return withModel(place, options, hooks, async (clip, runtime) => {
    const classifier = await zeroShotClassifier({ clip, runtime, classNames, templates })
    const [images] = await encodeSets(clip, runtime, [{ items: test }], options, hooks)
    const { answers, above } = await judge(pictureReader(options.cache), classifier, clip, images, options).finally(
      () => classifier.dispose(),
    )
    return { model, transforms, ...sharesOf(classNames, answers, images.labels, above) }
  })
}

const EVALUATE_OPTIONS: Readonly<Record<keyof EvaluateOptions, true>> = {
  transfer: true,
  predictions: true,
  model: true,
  methods: true,
  device: true,
  threads: true,
  cache: true,
  skipBadImages: true,
  transforms: true,
  exif: true,
  root: true,
  imageColumn: true,
  labelColumn: true,
  testShare: true,
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
): Promise<Evaluated> {
  checkOptions('evaluateRun', options, Object.keys(EVALUATE_OPTIONS))
  return evaluateRunAsGiven(run, data, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function evaluateRunAsGiven(
  run: string,
  data: string,
  options: EvaluateOptions = {},
  hooks: Hooks = {},
): Promise<Evaluated> {
  checkArguments(
    'evaluateRun',
    { run, data, options, hooks },
    { run: aText, data: aText, options: anObject, hooks: someHooks },
  )
  const { predictions } = options
  if (predictions !== undefined) await checkTableFile(predictions, [data])
  const saved = await readSavedRun(run, options.methods)
  const { asked, items, root } = await testPictures(saved, data, options, hooks)
  const transforms = transformsFor(saved, options, hooks)
  const pictures = { ...options, transforms }
  return withClassifier(asked, options, hooks, async (clip, runtime, classifier) => {
    const [images] = await encodeSets(clip, runtime, [{ items }], pictures, hooks)
    const { classNames } = asked
    const reader = pictureReader(options.cache)
    const { labels } = images
    if (predictions === undefined) {
      const { answers, above } = await judge(reader, classifier, clip, images, pictures, hooks)
      return { transforms, ...sharesOf(classNames, answers, labels, above) }
    }
    const logits = await logitsOf(reader, classifier, clip, images, pictures, hooks)
    const files = images.items.map((item) => calledIn(root, item))
    const written = await writePredictions(predictions, { files, labels, classNames, logits })
    const { answers, above } = await judged(logits, labels)
    return { transforms, ...sharesOf(classNames, answers, labels, above), written }
  })
}

/** Test pictures of a data set for a run, labelled by the run's classes or with `transfer` by the data set's. */
export async function testPictures(
  saved: SavedRun,
  data: string,
  options: EvaluateOptions,
  hooks: Hooks,
): Promise<{ readonly asked: SavedRun; readonly items: readonly Item[]; readonly root: string }> {
  const { run } = saved
  const { transfer = false, exif = saved.exif ?? 'ignore' } = options
  const canTransfer = saved.method.transfers(saved.settings)
  if (transfer) checkTransfers(saved)
  const whole = await openForTesting(data, { ...options, exif }, hooks, saved.testShare)
  warnOfOtherShare(saved, options, hooks)
  const dataset = transfer ? whole : learnedPart(saved, whole, hooks)
  const { classNames, templates = DEFAULT_TEMPLATES, test } = dataset
  await checkThere(dataset, test, options)
  const asked = transfer ? { ...saved, classNames, templates } : saved
  const labels = labelsAmong(asked.classNames, classNames, { run, data, canTransfer })
  return { asked, items: test.map((item) => ({ ...item, label: labels[item.label] ?? 0 })), root: dataset.root }
}

export interface Classified {
  readonly file: string
  /** Most probable first. */
  readonly labels: readonly Label[]
}

export interface ClassifyOptions extends AskOptions, PredictionOptions {
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
  const pictures = { ...options, transforms: transformsFor(saved, options, hooks) }
  const { exif = saved.exif ?? 'ignore' } = options
  const items = (await pictureFiles(files, hooks)).map((path) => ({ path, label: 0, turned: exif === 'turn' }))
  return withClassifier(saved, options, hooks, async (clip, runtime, classifier) => {
    const [images] = await encodeSets(clip, runtime, [{ items }], pictures, hooks)
    const logits = await logitsOf(pictureReader(options.cache), classifier, clip, images, pictures, hooks)
    const files = images.items.map(({ path }) => path)
    const { classNames } = classifier
    if (predictions !== undefined) await writePredictions(predictions, { files, classNames, logits })
    const labels = labelsOf(classifier, logits)
    return images.items.map(({ path }, i) => ({ file: path, labels: labels[i]?.slice(0, options.top) ?? [] }))
  })
}

/** The classifier of a run, on its model; all is freed afterwards. */
export async function withClassifier<T>(
  saved: SavedRun,
  options: AskOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime, classifier: ImageClassifier) => Promise<T>,
): Promise<T> {
  const clip = await clipOf(saved, options.model, hooks)
  return withRuntime(options, hooks, async (runtime) => {
    const classifier = await classifierOf(saved, clip, runtime)
    return work(clip, runtime, classifier).finally(() => classifier.dispose())
  })
}
