import { CoopError, FileError, UsageError } from '../base/errors.ts'
import { imageEncoder, isLarge } from '../clip/encode.ts'
import { trunkWidth } from '../clip/towers/image-tower.ts'
import type { Clip } from '../clip/types.ts'
import { distinctNames } from '../data/class-names.ts'
import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { ImageClassifier, Looks } from '../learning/classifier.ts'
import { conformalThreshold } from '../learning/conformal.ts'
import { softmaxRows } from '../learning/vectors.ts'
import type { DecodeOptions, Exif, Picture } from '../pictures/picture.ts'
import type { Preparation } from '../pictures/prepare.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { Runtime } from '../runtime/types.ts'
import type { SavedRun } from './learned.ts'
import { checkRunOptions } from './run-options.ts'

/** A class and how probable it is. */
export interface Label {
  readonly label: string
  readonly probability: number
}

/** What is made of the probabilities of a picture's classes. */
export interface Decision {
  /** The most probable class; null where even that is less probable than the threshold: none of these. */
  readonly label: string | null
  /** The label set, which holds the right class for the asked share of pictures; left out where none is asked. */
  readonly set?: readonly string[]
}

/** How decisions are made; default: as the run was learned to. */
export interface DecideOptions {
  /** Probability from 0 to 1; an answer below it is "none of these". */
  readonly reject?: number
  /** Share of pictures, above 0 and below 1, whose label set is to hold their class. */
  readonly sets?: number
}

/** A classifier that was learned, ready to be asked as often as one likes. */
export interface OpenRun<P = Picture> {
  /** Of the columns of logits; the second of two classes of one name is `crane (2)`. */
  readonly classNames: readonly string[]
  /** What its classifier looks at. */
  readonly takes: Looks
  /** All classes of each picture, most probable first. Throws FileError for a picture that cannot be read. */
  classify(pictures: readonly P[]): Promise<Label[][]>
  /**
   * A picture as the model takes it, `(3, size, size)`: the first half of `classify`, for whoever has pictures ready while
   * others are computed. `name` is what messages call it. Throws FileError as decodeImage does.
   */
  pixels(picture: P, name: string, options?: Pick<DecodeOptions, 'maxPixels'>): Promise<Float32Array>
  /** The second half of `classify`: all classes of each picture that `pixels` gave, most probable first. */
  classifyPixels(pixels: readonly Float32Array[]): Promise<Label[][]>
  /** Logits are divided by it before the softmax that makes them probabilities; 1 of a run that was not calibrated. */
  readonly temperature: number
  /** What a picture is, or that it is none of these, by the labels that `classify` gave it. */
  decide(labels: readonly Label[]): Decision
  /**
   * Raw logits `(n, classes)`, not divided by the run's temperature, of image features `(n, embed)` of the run's model, of any
   * length; where `takes` is `trunk`, of those before the last projection, `(n, trunk)`.
   * @throws UsageError where its method looks at pixels
   */
  logits(features: FloatTensor): Promise<FloatTensor>
  /** Frees what it holds; a runtime that was given stays open. */
  dispose(): Promise<void>
}

/** How a platform takes the pictures that it is asked about. */
export interface PicturesOf<P> {
  /** Throws UsageError for what is no list of pictures. */
  check(pictures: unknown): void
  /** What messages call the `index`-th of those it is asked about. */
  name(picture: P, index: number): string
  /** What the image tower takes of it, `(3, size, size)`. */
  pixels(picture: P, name: string, how: Preparation & DecodeOptions): Promise<Float32Array>
}

/** Pictures that are decoded and classified at a time. */
const BATCH = 32
/**
 * Pictures that are encoded at a time, in steps: each step takes what fills its batches, the last of them to this share at
 * least, as a batch costs what it holds at most. With the bundled model a picture of eight costs half of one by itself, in
 * larger batches no less, and of four little more. With a large one it costs the same, and each step holds its weights anew.
 */
const [STEPS, STEPS_OF_LARGE, FILLED] = [[8, 4, 1], [8, 1], 0.75]
/** A run that is ready to be asked, with the classifier of what it learned (see classifierOf). */
export function openSaved<P>(
  saved: SavedRun,
  clip: Clip,
  runtime: Runtime,
  classifier: ImageClassifier,
  how: PicturesOf<P>,
  options: DecideOptions & { readonly transforms?: Transforms; readonly exif?: Exif },
): OpenRun<P> {
  const { temperature = 1 } = saved.trust ?? {}
  const decide = decider(saved, options)
  const { transforms = saved.transforms, exif = saved.exif } = options
  const { preprocess: config, embedDim } = clip.config
  const steps = isLarge(clip.config) ? STEPS_OF_LARGE : STEPS
  const encoders = steps.map((size) => imageEncoder(clip, runtime, size, saved.precision))

  async function pixels(picture: P, name: string, { maxPixels }: Pick<DecodeOptions, 'maxPixels'> = {}) {
    return how.pixels(picture, name, { maxPixels, exif, config, transforms })
  }

  async function seen(pixels: readonly Float32Array[]): Promise<FloatTensor> {
    if (classifier.takes === 'pixels') {
      const all = floatTensor([pixels.length, 3, config.size, config.size])
      for (const [i, one] of pixels.entries()) all.data.set(one, i * one.length)
      return all
    }
    const width = classifier.takes === 'trunk' ? trunkWidth(clip.config) : embedDim
    const features = floatTensor([pixels.length, width])
    let start = 0
    for (const { batchSize, encode, trunk } of encoders) {
      const rest = (pixels.length - start) % batchSize
      const end = pixels.length - (rest < FILLED * batchSize ? rest : 0)
      const some = pixels.slice(start, end)
      features.data.set(await (classifier.takes === 'trunk' ? trunk(some) : encode(some)), start * width)
      start = end
    }
    return features
  }

  async function classifyPixels(pixels: readonly Float32Array[]): Promise<Label[][]> {
    return pixels.length === 0 ? [] : labelsOf(classifier, await classifier.logits(await seen(pixels)), temperature)
  }

  return {
    classNames: distinctNames(classifier.classNames),
    takes: classifier.takes,
    async classify(pictures) {
      how.check(pictures)
      const labels: Label[][] = []
      for (let start = 0; start < pictures.length; start += BATCH) {
        const batch = pictures.slice(start, start + BATCH)
        const ready = await Promise.all(batch.map((picture, i) => pixels(picture, how.name(picture, start + i))))
        labels.push(...(await classifyPixels(ready)))
      }
      return labels
    },
    pixels,
    classifyPixels,
    temperature,
    decide,
    async logits(features) {
      if (classifier.takes !== 'pixels') return classifier.logits(features)
      throw new UsageError(`${saved.run} needs pixels, not features of the image tower`, 'call classify instead')
    },
    async dispose() {
      await classifier.dispose()
      await Promise.all(encoders.map((encoder) => encoder.dispose()))
    },
  }
}

/** The classes of each row of logits, most probable first; probabilities are softmax(logits / temperature). */
export function labelsOf(
  { classNames }: Pick<ImageClassifier, 'classNames'>,
  logits: FloatTensor,
  temperature = 1,
): Label[][] {
  const { data } = softmaxRows(logits, temperature)
  const [n, classes] = dims(logits, 2)
  const labels = distinctNames(classNames)
  return Array.from({ length: n }, (_, i) =>
    Array.from(data.subarray(i * classes, (i + 1) * classes), (probability, c) => ({
      label: labels[c] ?? '',
      probability,
    })).sort((a, b) => b.probability - a.probability),
  )
}

/**
 * Decisions by the threshold and the label sets of a run, or by those asked for.
 * @throws UsageError for label sets of a run that was not judged by folds
 */
export function decider(
  { run, trust }: Pick<SavedRun, 'run' | 'trust'>,
  { reject = trust?.reject, sets = trust?.sets }: DecideOptions,
): (labels: readonly Label[]) => Decision {
  checkRunOptions('decide', { reject, sets })
  if (sets !== undefined && (trust?.truths ?? []).length === 0) {
    throw new UsageError(
      `${run} has no out-of-fold probabilities of its classes, of which label sets are made`,
      'learn it again with coop-ts train (--calibrate), by a method that learns from pictures',
    )
  }
  const least = sets === undefined ? undefined : conformalThreshold(trust?.truths ?? [], sets)
  return (labels) => {
    const [first] = labels
    const isNone = first !== undefined && reject !== undefined && first.probability < reject
    const inSet = ({ probability }: Label, i: number) => i === 0 || probability >= (least ?? 1)
    return {
      label: isNone ? null : (first?.label ?? null),
      set: least === undefined ? undefined : labels.filter(inSet).map(({ label }) => label),
    }
  }
}

export const short = (fingerprint: string) => `${fingerprint.slice(0, 12)}...`

/** A model, if it is the one that a run learned with. */
export function checkedClip({ run, model: own, tensors }: SavedRun, clip: Clip, word: string): Clip {
  if (clip.fingerprint === own.fingerprint) return clip
  const what = `the ${tensors.has('ctx') ? 'prompt' : 'classifier'} of ${run}`
  throw new CoopError(
    `${what} was learned with another model, ${own.name} with fingerprint ${short(own.fingerprint)}; the fingerprint of ${word} is ${short(clip.fingerprint)}`,
    'give the model that it was learned with (--model), or learn it again',
  )
}

/** The classifier of a run, for its own classes or for others that replace them. */
export async function classifierOf(saved: SavedRun, clip: Clip, runtime: Runtime): Promise<ImageClassifier> {
  const { run, method, settings, classNames, templates, tensors, remedy } = saved
  try {
    return await method.classifier({ clip, runtime, classNames, templates }, settings, { tensors })
  } catch (cause) {
    if (!(cause instanceof CoopError) || cause instanceof UsageError) throw cause
    // what is wrong with class names or tensors is wrong with the run
    throw new FileError(`${run}: ${cause.message}`, cause.remedy ?? remedy, { cause })
  }
}
