import { anObject, checkArguments, checkOptions, someHooks } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import type { Item } from '../data/items.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import type { AnyMethod } from '../methods/index.ts'
import { promptsFor } from '../methods/templates-setting.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import { DEFAULT_TEMPLATES, type Templates } from '../methods/zero-shot/templates.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { Runtime } from '../runtime/types.ts'
import { checkedClip, classifierOf } from '../trained/classify.ts'
import { checkTransfers, labelsAmong, learnedPart, picturesFor, warnOfOtherShare } from '../trained/evaluate.ts'
import { judge, type Shares, sharesOf } from '../trained/measure.ts'
import { encodeSets } from '../trained/pictures.ts'
import { type OpenedData, openData, type WebDataset } from './data.ts'
import { modelOf } from './model-of.ts'
import { readRun, type WebRun } from './open-run.ts'
import { webReader } from './reader.ts'
import { withWebRuntime } from './runtime.ts'
import { WEB_OPTION_NAMES, type WebOptions } from './train.ts'

/** Accuracy on test images, and how they were cut. */
export interface WebEvaluated extends Shares {
  /** How the pictures were cut. */
  readonly transforms: Transforms
  /** For each picture that was tested, in their order: its class and the one it was given, indices into the class names. */
  readonly answers: readonly { readonly label: number; readonly predicted: number }[]
}

/** Options of evaluateZeroShot. */
export interface WebZeroShotOptions extends WebOptions {
  /** Default: the data set's own. */
  readonly templates?: Templates
}

/** Options of evaluateRun. */
export interface WebEvaluateOptions extends WebOptions {
  /** Use what was learned with the data set's class names, whatever the run's own. */
  readonly transfer?: boolean
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
}

/** Accuracy of hand-written prompts on a data set's test pictures. */
export async function evaluateZeroShot(
  data: WebDataset,
  options: WebZeroShotOptions,
  hooks: Hooks = {},
): Promise<WebEvaluated> {
  checkOptions('evaluateZeroShot', options, [...WEB_OPTION_NAMES, 'templates'])
  checkArguments('evaluateZeroShot', { data, hooks }, { data: anObject, hooks: someHooks })
  // nothing is learned from any: all are tested where the data set marks none
  const { testShare = data.test === undefined ? 1 : undefined } = options
  const opened = await openData(data, { ...options, testShare })
  const { classNames, test } = testable(opened)
  const templates = promptsFor(classNames, options.templates) ?? opened.dataset.templates ?? DEFAULT_TEMPLATES
  const { transforms = DEFAULT_TRANSFORMS } = options
  const { clip } = await modelOf(options.model)
  return withWebRuntime(options, hooks, async (runtime) => {
    const classifier = await zeroShotClassifier({ clip, runtime, classNames, templates })
    return measured(opened, test, classifier, clip, runtime, { ...options, transforms }, hooks)
  })
}

/**
 * Accuracy of a finished run on a data set's test pictures. Its classes must be among the run's; with `transfer` they take
 * the place of the run's, for methods whose learning says something of other classes.
 *
 * @throws UsageError where classes and run do not go together
 */
export async function evaluateRun(
  run: WebRun,
  data: WebDataset,
  options: WebEvaluateOptions,
  hooks: Hooks = {},
): Promise<WebEvaluated> {
  checkOptions('evaluateRun', options, [...WEB_OPTION_NAMES, 'transfer', 'methods'])
  checkArguments('evaluateRun', { data, hooks }, { data: anObject, hooks: someHooks })
  const { transfer = false } = options
  const saved = await readRun(run, options.methods)
  if (transfer) checkTransfers(saved)
  const opened = await openData(data, {
    exif: saved.exif ?? 'ignore',
    testShare: saved.testShare,
    ...defined(options, data),
  })
  warnOfOtherShare(saved, options, hooks)
  const whole = testable(opened)
  const { classNames, templates = DEFAULT_TEMPLATES, test } = transfer ? whole : learnedPart(saved, whole, hooks)
  const asked = transfer ? { ...saved, classNames, templates } : saved
  const canTransfer = saved.method.transfers(saved.settings)
  const labels = labelsAmong(asked.classNames, classNames, { run: saved.run, data: data.name, canTransfer })
  const items = test.map((item) => ({ ...item, label: labels[item.label] ?? 0 }))
  const pictures = picturesFor(saved, options, hooks)
  const { clip, name } = await modelOf(options.model)
  checkedClip(saved, clip, name)
  return withWebRuntime(options, hooks, async (runtime) => {
    const classifier = await classifierOf(asked, clip, runtime)
    return measured(opened, items, classifier, clip, runtime, pictures, hooks)
  })
}

/** The options that say how data are opened, where they say it; a data set with test pictures has no share. */
function defined({ exif, testShare }: WebOptions, { test }: WebDataset) {
  const share = test === undefined ? testShare : undefined
  const own = Object.entries({ exif, testShare: share }).filter(([, value]) => value !== undefined)
  return { ...(test === undefined ? {} : { testShare: undefined }), ...Object.fromEntries(own) }
}

function testable({ dataset }: OpenedData) {
  if (dataset.test.length > 0) return dataset
  throw new UsageError(`${dataset.name} has no test pictures`, 'give some (test), or a share of each class (testShare)')
}

async function measured(
  { files }: OpenedData,
  items: readonly Item[],
  classifier: ImageClassifier,
  clip: Clip,
  runtime: Runtime,
  options: WebOptions & { readonly transforms: Transforms },
  hooks: Hooks,
): Promise<WebEvaluated> {
  try {
    const reader = webReader(files)
    const [images] = await encodeSets(reader, clip, runtime, [{ items }], options, hooks)
    const { answers, above } = await judge(reader, classifier, clip, images, options, hooks)
    return {
      transforms: options.transforms,
      ...sharesOf(classifier.classNames, answers, images.labels, above),
      answers: images.labels.map((label, i) => ({ label, predicted: answers[i] ?? 0 })),
    }
  } finally {
    await classifier.dispose()
  }
}
