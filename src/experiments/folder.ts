import { basename, resolve } from 'node:path'
import { z } from 'zod'
import { zeroShotClassifier } from '../baselines/zero-shot.ts'
import { checkShots, drawFewShot } from '../data/fewshot.ts'
import { readImageFolder } from '../data/folder.ts'
import { CoopError, UsageError } from '../errors.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { Hooks } from '../progress.ts'
import { accuracyOf, type Classifier, promptClassifier } from '../prompt/classifier.ts'
import { startTokens } from '../prompt/context-start.ts'
import { defaultEpochs } from '../prompt/schedule.ts'
import type { LearningSettings } from '../prompt/train.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { withModel } from './model.ts'
import { type EncodedItems, encodeSets, type PictureOptions } from './pictures.ts'
import { checkFolder, readRunPrompt, readRunSettings, trainInFolder } from './run.ts'

/** Share of right answers, fractions of 1, in all and by class name. */
export interface FolderAccuracy {
  readonly accuracy: number
  readonly perClass: Readonly<Record<string, number>>
}

export interface FolderOptions extends RuntimeOptions, PictureOptions {
  /** Folder of the CLIP. */
  readonly model: string
}

export interface TrainOptions extends FolderOptions, Omit<LearningSettings, 'epochs'> {
  readonly shots: number
  /** Augmented views of each training image; 0: the image as it is. */
  readonly views: number
  /** Default: what the paper takes for that many shots. */
  readonly epochs?: number
  /** Hand-written prompts to compare with. */
  readonly templates: readonly string[]
  /** Folder of the run. */
  readonly out?: string
  readonly resume: boolean
  readonly force: boolean
}

export interface TrainResult {
  readonly zeroShot: number
  readonly accuracy: number
  readonly steps: number
  readonly seconds: number
  readonly run: string
}

/** Learns a prompt from a folder of images and compares it with hand-written ones on the folder's test images. */
export async function trainOnFolder(dir: string, options: TrainOptions, hooks: Hooks): Promise<TrainResult> {
  const started = performance.now()
  const { shots, seed, views, templates, resume, force } = options
  const run = options.out ?? `runs/${basename(resolve(dir))}-${shots}-${seed}`
  await checkFolder(run, { resume, force })
  const dataset = await readImageFolder(dir)
  checkShots(dataset, shots)
  const { train } = drawFewShot(dataset.train, [], shots, seed)

  return withModel(options.model, options, hooks, async (clip, runtime) => {
    const { classNames } = dataset
    const M = options.init === null ? options.M : startTokens(clip, options.init).length
    const settings = { ...options, M, epochs: options.epochs ?? defaultEpochs(shots) }
    const augmented = views === 0 ? { items: train } : { items: train, views: { count: views, seed } }
    const [images, test] = await encodeSets(clip, runtime, [augmented, { items: dataset.test }], options, hooks)
    if (images === undefined || test === undefined) throw new Error('two sets give two results')
    const zeroShot = await zeroShotClassifier(clip, runtime, classNames, templates)
    const task = { clip, runtime, classNames, set: images, settings }
    const about = { dir: resolve(dir), model: resolve(options.model), shots, views, templates }
    const { prompt, losses } = await trainInFolder(run, task, { ...hooks, resume, force, about })
    const learned = await promptClassifier(clip, runtime, prompt)
    return {
      zeroShot: accuracy(zeroShot, test).accuracy,
      accuracy: accuracy(learned, test).accuracy,
      steps: losses.length,
      seconds: (performance.now() - started) / 1000,
      run,
    }
  })
}

/** Accuracy of hand-written prompts on a folder's test images. */
export async function zeroShotOnFolder(
  dir: string,
  templates: readonly string[],
  options: FolderOptions,
  hooks: Hooks,
): Promise<FolderAccuracy> {
  const { classNames, test } = await readImageFolder(dir)
  return withModel(options.model, options, hooks, async (clip, runtime) => {
    const classifier = await zeroShotClassifier(clip, runtime, classNames, templates)
    const [images] = await encodeSets(clip, runtime, [{ items: test }], options, hooks)
    return accuracy(classifier, images)
  })
}

export type RunOptions = Omit<FolderOptions, 'model'> & { readonly model?: string }

/** Accuracy of a finished run on a folder's test images: the same ones that training left out. */
export async function evaluateRun(
  run: string,
  dir: string,
  options: RunOptions,
  hooks: Hooks,
): Promise<FolderAccuracy> {
  const prompt = await readRunPrompt(run)
  const { classNames, test } = await readImageFolder(dir)
  const labels = classNames.map((name) => prompt.classNames.indexOf(name))
  const strange = classNames.filter((_, i) => labels[i] === -1)
  if (strange.length > 0) {
    throw new UsageError(
      `${dir} has classes that the run ${run} did not learn: ${strange.slice(0, 5).join(', ')}${strange.length > 5 ? ', ...' : ''}`,
      `The run knows ${prompt.classNames.slice(0, 8).join(', ')}${prompt.classNames.length > 8 ? ', ...' : ''}.`,
    )
  }
  const items = test.map(({ path, label }) => ({ path, label: labels[label] ?? 0 }))
  return withModel(options.model ?? (await modelOf(run)), options, hooks, async (clip, runtime) => {
    const classifier = await promptClassifier(clip, runtime, prompt)
    const [images] = await encodeSets(clip, runtime, [{ items }], options, hooks)
    return accuracy(classifier, images)
  })
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
  const prompt = await readRunPrompt(run)
  return withModel(options.model ?? (await modelOf(run)), options, hooks, async (clip, runtime) => {
    const classifier = await promptClassifier(clip, runtime, prompt)
    const [images] = await encodeSets(
      clip,
      runtime,
      [{ items: files.map((path) => ({ path, label: 0 })) }],
      options,
      hooks,
    )
    if (images === undefined) throw new Error('one set gives one result')
    const { shape, data } = classifier.classify(rowsOf(images))
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

function accuracy(classifier: Classifier, images: EncodedItems | undefined): FolderAccuracy {
  if (images === undefined || images.labels.length === 0)
    throw new CoopError('there are no test images that can be read')
  const found = accuracyOf(classifier, classifier.predict(rowsOf(images)), images.labels)
  const perClass = classifier.classNames.flatMap((name, c) => {
    const share = found.perClass[c] ?? Number.NaN
    return Number.isNaN(share) ? [] : [[name, share] as const]
  })
  return { accuracy: found.accuracy, perClass: Object.fromEntries(perClass) }
}

/** One view an image: `(images, 1, embed)` as `(images, embed)`. */
function rowsOf({ features: { shape, data } }: EncodedItems): FloatTensor {
  const [images = 0, , embed = 0] = shape
  return floatTensor([images, embed], data)
}

async function modelOf(run: string): Promise<string> {
  const { about } = z.object({ about: z.object({ model: z.string() }) }).parse(await readRunSettings(run))
  return about.model
}
