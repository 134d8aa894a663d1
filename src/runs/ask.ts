import { CoopError, FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import { placesAmong } from '../data/class-places.ts'
import { halfOf } from '../data/halves.ts'
import type { Dataset } from '../data/items.ts'
import { softmaxRows } from '../learning/vectors.ts'
import { METHODS } from '../methods/index.ts'
import type { ImageClassifier } from '../methods/method.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { Runtime } from '../runtime/types.ts'
import { accuracyFrom, checkThere, type FolderAccuracy, type FolderOptions, openForTesting, some } from './folder.ts'
import { withModel } from './model.ts'
import { encodeSets, imageRows } from './pictures.ts'
import { LEARN_AGAIN, modelOf, readSavedRun, type SavedRun } from './saved-run.ts'

/** The model is that of the run unless it has moved. */
export type AskOptions = Omit<FolderOptions, 'model'> & { readonly model?: string }

export interface EvaluateOptions extends AskOptions {
  /** Use what was learned with the data set's class names, whatever the run's own. */
  readonly transfer?: boolean
}

/**
 * Accuracy of a finished run on a data set's test images: of the data set it learned from, those that training left out.
 * Its classes must be among the run's; with `transfer` they take the place of the run's (the paper's cross-data-set
 * transfer), for methods whose learning says something of other classes.
 *
 * @throws UsageError where classes and run do not go together
 */
export async function evaluateRun(
  run: string,
  data: string,
  options: EvaluateOptions,
  hooks: Hooks,
): Promise<FolderAccuracy> {
  const { transfer = false } = options
  const saved = await readSavedRun(run)
  const canTransfer = saved.method.transfers(saved.settings)
  if (transfer && !canTransfer) throw boundToItsClasses(saved)
  const whole = await openForTesting(data, options, hooks)
  const dataset = transfer ? whole : learnedPart(saved, whole, hooks)
  const { classNames, templates = DEFAULT_TEMPLATES, test } = dataset
  await checkThere(dataset, test, options)
  const asked = transfer ? { ...saved, classNames, templates } : saved
  const labels = labelsAmong(asked.classNames, classNames, { run, data, canTransfer })
  const items = test.map(({ path, label }) => ({ path, label: labels[label] ?? 0 }))
  const transforms = transformsFor(saved, options, hooks)
  return withRun(asked, options, hooks, async (clip, runtime, classifier) => {
    const [images] = await encodeSets(clip, runtime, [{ items }], { ...options, transforms }, hooks)
    return accuracyFrom(asked.classNames, await classifier.logits(imageRows(images), hooks), images, transforms)
  })
}

function boundToItsClasses({ run, method, settings, tensors }: SavedRun): UsageError {
  const what = tensors.has('ctx') ? 'a context for each of its classes' : 'to tell its own classes apart'
  const others = METHODS.filter(({ transfers, settings }) => transfers(settings.parse({}))).map(({ name }) => name)
  return new UsageError(
    `the run ${run} (${method.title(settings)}) learned ${what}, which says nothing of others`,
    `transfer (--transfer) takes a run of ${others.join(', ')}, with one context for all classes`,
  )
}

/** The half of a data set's classes that a run of `split: base` learned, where it is that data set's. */
function learnedPart({ run, split, classNames }: SavedRun, dataset: Dataset, { onWarning }: Hooks): Dataset {
  const half = halfOf(dataset, split)
  if (split === 'all' || half.classNames.join('\n') !== classNames.join('\n')) return dataset
  onWarning?.(`${run} learned the first half of the classes, and is measured on these (--transfer: on all)`)
  return half
}

/** For each class of the data set its place among the run's. Throws UsageError for those that are none of them. */
function labelsAmong(
  known: readonly string[],
  classNames: readonly string[],
  { run, data, canTransfer }: { readonly run: string; readonly data: string; readonly canTransfer: boolean },
): number[] {
  const labels = placesAmong(known, classNames)
  const strange = classNames.filter((_, i) => labels[i] === -1)
  if (strange.length === 0) return labels
  const other = canTransfer ? ', or use what was learned with the names of this data set (--transfer)' : ''
  throw new UsageError(
    `${data} has classes that the run ${run} did not learn: ${some(strange)}`,
    `the run knows ${some(known)}: rename or take out the other classes${other}`,
  )
}

export interface Classified {
  readonly file: string
  /** Most probable first. */
  readonly labels: readonly { readonly label: string; readonly probability: number }[]
}

/** What a finished run sees on pictures: the `top` most probable classes of each. */
export async function classifyImages(
  run: string,
  files: readonly string[],
  top: number,
  options: AskOptions,
  hooks: Hooks,
): Promise<Classified[]> {
  const items = files.map((path) => ({ path, label: 0 }))
  const saved = await readSavedRun(run)
  const transforms = transformsFor(saved, options, hooks)
  return withRun(saved, options, hooks, async (clip, runtime, classifier) => {
    const [images] = await encodeSets(clip, runtime, [{ items }], { ...options, transforms }, hooks)
    const { shape, data } = softmaxRows(await classifier.logits(imageRows(images), hooks))
    const [, classes = 0] = shape
    return images.items.map(({ path }, i) => {
      const row = Array.from(data.subarray(i * classes, (i + 1) * classes), (probability, c) => ({
        label: classifier.classNames[c] ?? '',
        probability,
      }))
      return { file: path, labels: row.sort((a, b) => b.probability - a.probability).slice(0, top) }
    })
  })
}

/** How pictures are cut for a finished run: as for its training, or as told, with a warning where that is another way. */
function transformsFor(
  { run, transforms: own }: SavedRun,
  { transforms }: AskOptions,
  { onWarning }: Hooks,
): Transforms {
  if (transforms === undefined || transforms === own) return own
  onWarning?.(
    `${run} is of pictures cut as in ${own} and is shown pictures cut as in ${transforms}: ` +
      'do not compare its accuracy with that of other runs',
  )
  return transforms
}

/** A run's classifier, for its own classes or for others put in their place, on its model. */
async function withRun<T>(
  saved: SavedRun,
  options: AskOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime, classifier: ImageClassifier) => Promise<T>,
): Promise<T> {
  return withModelOf(saved, options, hooks, async (clip, runtime) => {
    const classifier = await classifierOf(saved, clip, runtime)
    try {
      return await work(clip, runtime, classifier)
    } finally {
      await classifier.dispose?.()
    }
  })
}

/** A run's model: the one named in the options, else where it was when the run was made. Throws CoopError for another. */
export async function withModelOf<T>(
  saved: SavedRun,
  options: AskOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime) => Promise<T>,
): Promise<T> {
  const { run, model: own, tensors } = saved
  const model = options.model ?? (await modelOf(saved))
  return withModel(model, options, hooks, async (clip, runtime) => {
    if (clip.fingerprint === own.fingerprint) return work(clip, runtime)
    const what = `the ${tensors.has('ctx') ? 'prompt' : 'classifier'} of ${run}`
    const [then, now] = [own.fingerprint, clip.fingerprint].map((fingerprint) => `${fingerprint.slice(0, 12)}...`)
    throw new CoopError(
      `${what} was learned on another model, ${own.name} with fingerprint ${then}; that of ${model} is ${now}`,
      'give the model that it was learned on (--model), or learn it again',
    )
  })
}

async function classifierOf(saved: SavedRun, clip: Clip, runtime: Runtime): Promise<ImageClassifier> {
  const { run, method, settings, classNames, templates, tensors } = saved
  const classes = { clip, runtime, classNames, templates }
  try {
    return await method.classifier(classes, settings, { tensors, facts: {}, steps: [] })
  } catch (cause) {
    if (!(cause instanceof CoopError) || cause instanceof UsageError) throw cause
    // what is wrong with class names or tensors is wrong with the run
    throw new FileError(`${run}: ${cause.message}`, cause.remedy ?? LEARN_AGAIN, { cause })
  }
}
