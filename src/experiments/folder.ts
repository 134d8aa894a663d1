import { basename, resolve } from 'node:path'
import { z } from 'zod'
import { zeroShotClassifier } from '../baselines/zero-shot.ts'
import { readSchema } from '../clip/schema.ts'
import type { Clip } from '../clip/types.ts'
import { checkImages } from '../data/check-images.ts'
import { distinctNames, placesAmong } from '../data/class-places.ts'
import { checkShots, drawSubset } from '../data/fewshot.ts'
import type { Dataset, Item } from '../data/items.ts'
import { type OpenOptions, openDataset } from '../data/open.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../data/transforms.ts'
import { FileError, UsageError } from '../errors.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { exists } from '../node/run-folder.ts'
import type { Hooks } from '../progress.ts'
import { accuracyOf, type Classifier, promptClassifier } from '../prompt/classifier.ts'
import { startTokens } from '../prompt/context-start.ts'
import { checkFits, type LearnedPrompt } from '../prompt/learned-prompt.ts'
import { defaultEpochs } from '../prompt/schedule.ts'
import { type LearningSettings, startOf } from '../prompt/train.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import { withModel } from './model.ts'
import { isModelWord } from './model-word.ts'
import {
  type EncodedItems,
  encodeSets,
  imageRows,
  openOnlineViews,
  type PictureOptions,
  pictureSet,
  type Views,
} from './pictures.ts'
import { checkFolder, learningSettings, readRunPrompt, readRunSettings, trainInFolder, writeResults } from './run.ts'
import { transformsFor } from './run-transforms.ts'

/** Share of right answers, fractions of 1, in all and by class name. */
export interface FolderAccuracy {
  readonly accuracy: number
  /** How the pictures were cut. */
  readonly transforms: Transforms
  readonly perClass: Readonly<Record<string, number>>
}

export interface FolderOptions extends RuntimeOptions, PictureOptions, DataOptions {
  /** A word for the CLIP, as --model takes it. */
  readonly model: string
}

/** How the word for a data set is understood. */
export type DataOptions = Pick<OpenOptions, 'root' | 'imageColumn' | 'labelColumn'>

/** The hand-written prompt of data sets that have none of their own. */
const DEFAULT_TEMPLATES = ['a photo of a {}.']

export interface TrainOptions extends FolderOptions, Omit<LearningSettings, 'epochs'> {
  readonly shots: number
  readonly views: Views
  /** Default: what the paper takes for that many shots. */
  readonly epochs?: number
  /** Hand-written prompts to compare with (default: the data set's own). */
  readonly templates?: readonly string[]
  /** Folder of the run. */
  readonly out?: string
  readonly resume: boolean
  readonly force: boolean
}

/** Accuracies are fractions of 1. */
export interface TrainResult {
  /** Of the hand-written prompts on the same test images. */
  readonly zeroShot: number
  readonly accuracy: number
  /** Training ended no better than chance. */
  readonly collapsed: boolean
  readonly steps: number
  readonly seconds: number
  /** Folder of the run. */
  readonly run: string
}

/**
 * Learns a prompt from a few images of a data set (as `openDataset` takes it) and compares it with hand-written ones on
 * its test images. All that can be refused is refused before the first picture is read.
 */
export async function trainOnFolder(data: string, options: TrainOptions, hooks: Hooks): Promise<TrainResult> {
  const started = performance.now()
  const { shots, seed, views, transforms = DEFAULT_TRANSFORMS, resume, force } = options
  const run = options.out ?? `runs/${shortName(data)}-${shots}-${seed}`
  await checkFolder(run, { resume, force })
  const dataset = await openForTesting(data, options, hooks)
  checkShots(dataset, shots)
  const { classNames, test } = dataset
  const { train } = drawSubset(dataset, shots, seed)
  await checkThere(dataset, [...train, ...test], options)
  const templates = options.templates ?? dataset.templates ?? DEFAULT_TEMPLATES

  return withModel(options.model, options, hooks, async (clip, runtime, model) => {
    const M = options.init === null ? options.M : startTokens(clip, options.init).length
    const settings = { ...options, M, epochs: options.epochs ?? defaultEpochs(shots) }
    const subset = { shots, views, transforms }
    const known = { settings: learningSettings(settings), classNames, model: clip.fingerprint, about: subset }
    await checkFolder(run, { resume, force }, known)
    startOf({ clip, classNames, settings }) // throws where settings and class names do not fit the model
    const zeroShot = await zeroShotClassifier(clip, runtime, classNames, templates)

    const sets = [pictureSet(train, views, seed), { items: test }] as const
    const [images, testImages] = await encodeSets(clip, runtime, sets, options, hooks)
    checkEveryClass(classNames, images.labels)
    const about = { data, root: resolve(dataset.root), model, ...subset, templates }
    const anew = views === 'online' ? await openOnlineViews(clip, runtime, images.items, seed, options) : undefined
    const task = { clip, runtime, classNames, set: images, online: anew?.online, settings }
    const training = trainInFolder(run, task, { ...hooks, resume, force, about })
    const { prompt, losses, collapsed } = await training.finally(() => anew?.dispose())
    const learned = await promptClassifier(clip, runtime, prompt)
    const result = {
      zeroShot: accuracy(zeroShot, testImages, transforms).accuracy,
      accuracy: accuracy(learned, testImages, transforms).accuracy,
      collapsed,
      steps: losses.length,
      seconds: (performance.now() - started) / 1000,
    }
    await writeResults(run, result)
    return { ...result, run }
  })
}

/** Throws FileError when no picture of a class was left, which would then be learned from nothing. */
function checkEveryClass(classNames: readonly string[], labels: readonly number[]): void {
  const seen = new Set(labels)
  const without = classNames.filter((_, label) => !seen.has(label))
  if (without.length === 0) return
  throw new FileError(
    `no training image that was drawn can be read of the class ${some(without)}`,
    'replace the images that were left out, take more shots (--shots), or draw others (--seed)',
  )
}

/** Accuracy of hand-written prompts, by default the data set's own, on its test images. */
export async function zeroShotOnFolder(
  data: string,
  options: FolderOptions & { readonly templates?: readonly string[] },
  hooks: Hooks,
): Promise<FolderAccuracy> {
  const dataset = await openForTesting(data, options, hooks)
  const { classNames, test } = dataset
  await checkThere(dataset, test, options)
  const templates = options.templates ?? dataset.templates ?? DEFAULT_TEMPLATES
  return withModel(options.model, options, hooks, async (clip, runtime) => {
    const classifier = await zeroShotClassifier(clip, runtime, classNames, templates)
    const [images] = await encodeSets(clip, runtime, [{ items: test }], options, hooks)
    return accuracy(classifier, images, options.transforms)
  })
}

export type RunOptions = Omit<FolderOptions, 'model'> & { readonly model?: string }

export interface EvaluateOptions extends RunOptions {
  /** Use the learned context with the data set's class names, whatever the run's own. */
  readonly transfer?: boolean
}

/**
 * Accuracy of a finished run on a data set's test images: of the data set it learned from, those that training left out.
 * Its classes must be among the run's; with `transfer` they take the place of the run's (the paper's cross-data-set
 * transfer), which a context of its own for each class cannot do.
 *
 * @throws UsageError where classes and run do not go together
 */
export async function evaluateRun(
  run: string,
  data: string,
  options: EvaluateOptions,
  hooks: Hooks,
): Promise<FolderAccuracy> {
  const prompt = await readRunPrompt(run)
  if (options.transfer && prompt.classSpecific) {
    throw new UsageError(
      `the run ${run} learned a context for each of its classes, which says nothing of others`,
      'transfer (--transfer) takes a run with one context for all: coop train without --class-specific',
    )
  }
  const dataset = await openForTesting(data, options, hooks)
  const { classNames, test } = dataset
  await checkThere(dataset, test, options)
  const asked = options.transfer ? { ...prompt, classNames } : prompt
  const labels = labelsAmong(asked.classNames, classNames, { run, data, canTransfer: !prompt.classSpecific })
  const items = test.map(({ path, label }) => ({ path, label: labels[label] ?? 0 }))
  const transforms = await transformsFor(run, options, hooks)
  return withRun(run, asked, options, hooks, async (clip, runtime, classifier) => {
    const [images] = await encodeSets(clip, runtime, [{ items }], { ...options, transforms }, hooks)
    return accuracy(classifier, images, transforms)
  })
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
  const other = canTransfer ? ', or use the learned context with the names of this data set (--transfer)' : ''
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
  options: RunOptions,
  hooks: Hooks,
): Promise<Classified[]> {
  const items = files.map((path) => ({ path, label: 0 }))
  const prompt = await readRunPrompt(run)
  const transforms = await transformsFor(run, options, hooks)
  return withRun(run, prompt, options, hooks, async (clip, runtime, classifier) => {
    const [images] = await encodeSets(clip, runtime, [{ items }], { ...options, transforms }, hooks)
    const { shape, data } = classifier.classify(imageRows(images))
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

/** A finished run's classifier on its model: the one named in the options, else where it was when the run was made. */
async function withRun<T>(
  run: string,
  prompt: LearnedPrompt,
  options: RunOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime, classifier: Classifier) => Promise<T>,
): Promise<T> {
  const model = options.model ?? (await modelOf(run))
  return withModel(model, options, hooks, async (clip, runtime) => {
    checkFits(prompt, clip, { prompt: `the prompt of ${run}`, model })
    return work(clip, runtime, await promptClassifier(clip, runtime, prompt))
  })
}

/** The model that a run names, if it is there still. */
export async function modelOf(run: string): Promise<string> {
  const { about } = readSchema(settingsSchema, await readRunSettings(run), `settings.json of ${run}`)
  if (isModelWord(about.model) || (await exists(about.model))) return about.model
  throw new UsageError(
    `the model that ${run} was trained on is not in ${about.model} any more`,
    'say where it is now (--model)',
  )
}

const settingsSchema = z.object({ about: z.object({ model: z.string() }) })

/** A data set, some of its images test images. */
async function openForTesting(
  data: string,
  { root, imageColumn, labelColumn, cache = defaultCacheDir(), skipBadImages = false }: DataOptions & PictureOptions,
  hooks: Hooks,
): Promise<Dataset> {
  const options = {
    cache,
    skipBadImages,
    ...(root !== undefined && { root }),
    ...(imageColumn !== undefined && { imageColumn }),
    ...(labelColumn !== undefined && { labelColumn }),
  }
  const dataset = await openDataset(data, options, hooks)
  if (dataset.test.length > 0) return dataset
  throw new FileError(`${data} has no test images`, 'add images: a class has test images from its second image on')
}

/** Throws FileError naming images that are not there, before any work; those that may be left out are named later. */
async function checkThere(
  dataset: Dataset,
  items: readonly Item[],
  { skipBadImages = false }: PictureOptions,
): Promise<void> {
  if (!skipBadImages) await checkImages(dataset, items)
}

/** What a run is called after: the last part of a path, or the name of a data set of the hub. */
function shortName(data: string): string {
  const hub = /^hf:([^:@]+)/.exec(data)?.[1]
  return basename(hub ?? resolve(data)).replace(/\.(csv|tsv|jsonl|ndjson|parquet)$/i, '')
}

function accuracy(
  classifier: Classifier,
  images: EncodedItems,
  transforms: Transforms = DEFAULT_TRANSFORMS,
): FolderAccuracy {
  const found = accuracyOf(classifier, classifier.predict(imageRows(images)), images.labels)
  const perClass = distinctNames(classifier.classNames).flatMap((name, c) => {
    const share = found.perClass[c] ?? Number.NaN
    return Number.isNaN(share) ? [] : [[name, share] as const]
  })
  return { accuracy: found.accuracy, transforms, perClass: Object.fromEntries(perClass) }
}

/** The first few of many names. */
function some(names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? `, and ${names.length - MAX_NAMES} more` : ''
  return names.slice(0, MAX_NAMES).join(', ') + more
}

const MAX_NAMES = 8
