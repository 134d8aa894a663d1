import { resolve } from 'node:path'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { checkShots, drawSubset } from '../data/fewshot.ts'
import { coopSettings, learningSettingsOf } from '../methods/coop/index.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { DEFAULT_TRANSFORMS } from '../pictures/transforms.ts'
import { promptClassifier } from '../prompt/prompt-classifier.ts'
import { startOf } from '../prompt/train.ts'
import { accuracyFrom, checkThere, type FolderOptions, openForTesting, shortName, some } from './folder.ts'
import { withModel } from './model.ts'
import { type EncodedItems, encodeSets, imageRows, openOnlineViews, pictureSet, type Views } from './pictures.ts'
import { checkFolder, learningSettings, trainInFolder, writeResults } from './run.ts'

/** What a run of any method is told. */
export interface FewShotOptions extends FolderOptions {
  readonly shots: number
  readonly seed: number
  /** Of the method. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly views: Views
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
export async function trainOnFolder(data: string, options: FewShotOptions, hooks: Hooks): Promise<TrainResult> {
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
    const settings = learningSettingsOf(
      { clip, shots, seed, epochs: dataset.epochs },
      coopSettings.parse(options.settings),
    )
    const subset = { shots, views, transforms }
    const known = { settings: learningSettings(settings), classNames, model: clip.fingerprint, about: subset }
    await checkFolder(run, { resume, force }, known)
    startOf({ clip, classNames, settings }) // throws where settings and class names do not fit the model
    const zeroShot = await zeroShotClassifier(clip, runtime, classNames, templates)

    const sets = [pictureSet(train, views, seed), { items: test }] as const
    const [images, testImages] = await encodeSets(clip, runtime, sets, options, hooks)
    checkEveryClass(classNames, images)
    const about = { data, root: resolve(dataset.root), model, ...subset, templates }
    const anew = views === 'online' ? await openOnlineViews(clip, runtime, images.items, seed, options) : undefined
    const task = { clip, runtime, classNames, set: images, online: anew?.online, settings }
    const training = trainInFolder(run, task, { ...hooks, resume, force, about })
    const { prompt, losses, collapsed } = await training.finally(() => anew?.dispose())
    const learned = await promptClassifier(clip, runtime, prompt)
    const rows = imageRows(testImages)
    const result = {
      zeroShot: accuracyFrom(classNames, zeroShot.logits(rows), testImages).accuracy,
      accuracy: accuracyFrom(classNames, learned.logits(rows), testImages).accuracy,
      collapsed,
      steps: losses.length,
      seconds: (performance.now() - started) / 1000,
    }
    await writeResults(run, result)
    return { ...result, run }
  })
}

/** Throws FileError when no picture of a class was left, which would then be learned from nothing. */
export function checkEveryClass(classNames: readonly string[], { labels }: Pick<EncodedItems, 'labels'>): void {
  const seen = new Set(labels)
  const without = classNames.filter((_, label) => !seen.has(label))
  if (without.length === 0) return
  throw new FileError(
    `no training image that was drawn can be read of the class ${some(without)}`,
    'replace the images that were left out, take more shots (--shots), or draw others (--seed)',
  )
}
