import { some } from '../base/count.ts'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { Precision } from '../clip/precision.ts'
import type { Clip, Towers } from '../clip/types.ts'
import { type Half, halfOf } from '../data/halves.ts'
import { type Dataset, givenFrom, type Item } from '../data/items.ts'
import type { OnlineViews, PixelSource } from '../learning/batches.ts'
import { type Fold, foldsOf, judgedImages } from '../learning/folds.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import { DEFAULT_TEMPLATES, type Templates } from '../methods/zero-shot/templates.ts'
import type { Views } from '../pictures/views.ts'
import type { Runtime } from '../runtime/types.ts'
import { type Datasets, type Drawn, drawnBy, subsetOf } from './drawn.ts'
import type { Job } from './job.ts'
import type { UsedModel } from './learned.ts'
import { answersOf, sharesOf } from './measure.ts'
import {
  type EncodedItems,
  type EncodeOptions,
  encodeSets,
  openOnlineViews,
  pictureSet,
  someItems,
} from './pictures.ts'
import { pixelSource } from './pixels.ts'
import { comparedPrecision, type UsedPrecision } from './precision.ts'
import type { PictureReader } from './reader.ts'

/** Test images of some classes, encoded. */
export interface TestSet {
  readonly name: string
  readonly dataset: Pick<Dataset, 'classNames' | 'templates' | 'epochs' | 'train' | 'test' | 'testShare' | 'valIsTest'>
  readonly images: EncodedItems
}

/** What a job learns from and is measured on. */
export interface JobInputs {
  readonly clip: Clip
  readonly model: UsedModel
  readonly train: EncodedItems
  /** Where new views are drawn for each epoch. */
  readonly online?: OnlineViews
  readonly pixels: PixelSource
  /** Where out-of-fold logits are made: the folds of `train`, else none. */
  readonly folds: readonly Fold[]
  /** Then: `train` as it would be tested, one view each. */
  readonly plain: EncodedItems
  /** Pictures of none of the classes: to choose a threshold by, and to test it on. */
  readonly others: Readonly<Record<'train' | 'test', EncodedItems>>
  readonly val: EncodedItems
  readonly test: TestSet
  readonly elsewhere: readonly TestSet[]
  /** Which pictures all these are. */
  readonly drawn: Drawn
  /** Accuracy of hand-written prompts on the images that the run is measured on; null where there are none. */
  readonly zeroShot: number | null
  /** In what the image tower computed the features; undefined: in float32, of which nothing need be said. */
  readonly precision?: Precision
  /** Where int8 was asked for: what it loses on some of the pictures. */
  readonly compared?: UsedPrecision
  /** Frees what they hold. */
  dispose(): Promise<void>
}

/** Models and data sets of jobs. */
export interface JobSource extends Datasets {
  /** @param onNew told of a model that is there but for its fingerprint, which is computed next */
  model(job: Job, hooks: Hooks, onNew?: (clip: Towers) => void): Promise<UsedModel & { readonly clip: Clip }>
  /** Which data set a job means by a word: another key for another one. */
  key(job: Job, word: string): string
}

/** Models, data sets and features of jobs, opened when they are first asked for and remembered. */
export interface Inputs extends JobSource {
  /** @param templates hand-written prompts to compare with, instead of the data set's own */
  prepare(job: Job, runtime: Runtime, hooks: Hooks, templates?: Templates): Promise<JobInputs>
}

/** What jobs learn from, of models and data sets that a source opens. */
export function inputsOf(reader: PictureReader, source: JobSource, options: EncodeOptions): Inputs {
  const encoded = memory<EncodedItems>(12)
  const zeroShots = memory<number | null>(Number.POSITIVE_INFINITY)
  const comparisons = memory<UsedPrecision | undefined>(Number.POSITIVE_INFINITY)

  return {
    ...source,

    async prepare(job, runtime, hooks, templates) {
      const { clip, ...model } = await source.model(job, hooks)
      const dataset = await source.dataset(job, job.dataset, hooks)
      const own = subsetOf(job, dataset)
      checkGiven(job, own)
      const prompts = templates ?? own.templates ?? DEFAULT_TEMPLATES
      const pictures = { ...options, transforms: job.transforms }
      const shown = [...dataset.train, ...dataset.test]
      const { classNames } = own
      const asked = { reader, clip, runtime, items: shown, classNames, templates: prompts }
      const compared = await comparisons(
        `${clip.fingerprint} ${job.transforms} ${source.key(job, job.dataset)} ${job.split}`,
        () => comparedPrecision(asked, pictures, hooks),
      )
      const precision = compared?.used ?? givenFrom(shown)?.precision
      const encodes = { ...pictures, precision: compared?.used }
      const about = `${clip.fingerprint} ${job.transforms} ${precision}`
      const encode = (name: string, items: readonly Item[], views: Views = 0) =>
        encoded(`${about} ${name} ${views}`, async () => {
          const [set] = await encodeSets(reader, clip, runtime, [pictureSet(items, views, job.seed)], encodes, hooks)
          return set
        })
      const testSet = async (name: string, word: string, half: Half): Promise<TestSet> => {
        const part = halfOf(await source.dataset(job, word, hooks), half)
        return { name, dataset: part, images: await encode(`${source.key(job, word)}, ${half}, test`, part.test) }
      }
      const data = source.key(job, job.dataset)
      const subset = `${data}, ${job.split}, ${job.shots} shots of seed ${job.seed}${job.validates ? ', val held out' : ''}`
      const train = await encode(`${subset}, train`, own.train, job.views)
      if (job.shots !== 0) checkEveryClass(own.classNames, train)
      const val = await encode(`${subset}, val`, own.val)
      const folds = job.folds === undefined ? [] : foldsOf(train.labels, { folds: job.folds, seed: job.seed })
      const plain = folds.length === 0 ? train : await encode(`${subset}, train`, own.train)
      checkSamePictures(train, plain)
      const others = {
        train: await encode(`${data}, others to learn`, (folds.length > 0 && dataset.others?.train) || []),
        test: await encode(`${data}, others to test`, (folds.length > 0 && dataset.others?.test) || []),
      }
      const test = await testSet(job.dataset, job.dataset, job.split)
      const elsewhere: TestSet[] = []
      if (job.split === 'base') elsewhere.push(await testSet('new', job.dataset, 'new'))
      for (const name of job.elsewhere) elsewhere.push(await testSet(name, name, 'all'))

      const isTested = test.images.labels.length > 0
      const measured = isTested || !job.crossValidate ? test.images : someItems(plain, judgedImages(folds))
      const on = isTested ? `${data} ${job.split}` : `${subset}, ${job.folds} folds`
      const zeroShot = await zeroShots(`${about} ${on} ${JSON.stringify(prompts)}`, async () => {
        if (measured.labels.length === 0) return null
        const classifier = await zeroShotClassifier({ clip, runtime, classNames, templates: prompts })
        const answers = await answersOf(reader, classifier, clip, measured, pictures).finally(() =>
          classifier.dispose(),
        )
        return sharesOf(classNames, answers, measured.labels).accuracy
      })
      const views =
        job.views === 'online'
          ? await openOnlineViews(reader, clip, runtime, train.items, job.seed, encodes)
          : undefined
      return {
        clip,
        model: model.path === undefined ? model : { ...model, name: job.model },
        train,
        drawn: await drawnBy(reader, job, source, hooks),
        online: views?.online,
        pixels: pixelSource(reader, clip, train.items, job.views, job.seed, pictures),
        folds,
        plain,
        others,
        val,
        test,
        elsewhere,
        zeroShot,
        precision: precision === 'int8' ? precision : undefined,
        compared,
        dispose: async () => views?.dispose(),
      }
    },
  }
}

/** Throws UsageError where a job wants of given features what only pictures can give. */
export function checkGiven({ views, transforms }: Job, { train, test }: Dataset): void {
  const from = givenFrom([...train, ...test])
  if (from === undefined) return
  if (views !== 0) throw new UsageError(`${from.file} has features: no augmented views can be made`, 'set views to 0')
  if (from.transforms === undefined || from.transforms === transforms) return
  const what = `the features in ${from.file} are of pictures preprocessed as in ${from.transforms}, not ${transforms}`
  throw new UsageError(what, `set transforms to ${from.transforms}, or make the features again`)
}

/** Throws FileError when no picture of a class was left, which would then be learned from nothing. */
function checkEveryClass(classNames: readonly string[], { labels }: Pick<EncodedItems, 'labels'>): void {
  const seen = new Set(labels)
  const without = classNames.filter((_, label) => !seen.has(label))
  if (without.length === 0) return
  throw new FileError(
    `none of the training images drawn can be read for the class ${some(without)}`,
    'replace the unreadable images, use more shots (--shots), or draw other images (--seed)',
  )
}

/** Throws FileError where a picture could be read once, and then no more. */
function checkSamePictures(train: EncodedItems, plain: EncodedItems): void {
  if (train.labels.join() === plain.labels.join()) return
  throw new FileError('pictures have changed while they were read', 'start the run again')
}

/** Makes each thing once, also for those who ask while it is being made; the oldest are forgotten, and so are failures. */
export function memory<T>(most: number): (key: string, make: () => Promise<T>) => Promise<T> {
  const kept = new Map<string, Promise<T>>()
  return (key, make) => {
    const found = kept.get(key) ?? make()
    kept.delete(key)
    kept.set(key, found)
    found.catch(() => kept.delete(key))
    for (const oldest of kept.keys()) {
      if (kept.size <= most) break
      kept.delete(oldest)
    }
    return found
  }
}
