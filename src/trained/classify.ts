import { CoopError, FileError, UsageError } from '../base/errors.ts'
import { imageEncoder } from '../clip/encode.ts'
import type { Clip, RgbImage } from '../clip/types.ts'
import { distinctNames } from '../data/class-names.ts'
import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import { softmaxRows } from '../learning/vectors.ts'
import type { Exif, Picture } from '../pictures/picture.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { Runtime } from '../runtime/types.ts'
import type { SavedRun } from './learned.ts'
import type { PictureReader } from './reader.ts'

/** A class and how probable it is. */
export interface Label {
  readonly label: string
  readonly probability: number
}

/** A classifier that was learned, ready to be asked as often as one likes. */
export interface OpenRun<P = Picture> {
  /** Of the columns of logits; the second of two classes of one name is `crane (2)`. */
  readonly classNames: readonly string[]
  /** All classes of each picture, most probable first. Throws FileError for a picture that cannot be read. */
  classify(pictures: readonly P[]): Promise<Label[][]>
  /**
   * Logits `(n, classes)` of image features `(n, embed)` of the run's model, of any length.
   * @throws UsageError where its method looks at pixels
   */
  logits(features: FloatTensor): Promise<FloatTensor>
  /** Frees what it holds; a runtime that was given stays open. */
  dispose(): Promise<void>
}

/** How a platform takes the pictures that it is asked about. */
export interface PicturesOf<P> extends Pick<PictureReader, 'prepare'> {
  /** Throws UsageError for what is no list of pictures. */
  check(pictures: unknown): void
  /** Decodes the `index`-th of those it is asked about. */
  decode(picture: P, index: number, exif: Exif | undefined): Promise<RgbImage>
}

/** Pictures that are encoded at a time; fewer than some are encoded one by one, as a batch costs what it holds at most. */
const [BATCH, FEW] = [32, 8]

/** A run that is ready to be asked, with the classifier of what it learned (see classifierOf). */
export function openSaved<P>(
  saved: SavedRun,
  clip: Clip,
  runtime: Runtime,
  classifier: ImageClassifier,
  how: PicturesOf<P>,
  options: { readonly transforms?: Transforms; readonly exif?: Exif },
): OpenRun<P> {
  const { transforms = saved.transforms, exif = saved.exif } = options
  const [encoder, single] = [imageEncoder(clip, runtime, BATCH), imageEncoder(clip, runtime, 1)]

  async function seen(pictures: readonly P[], first: number): Promise<FloatTensor> {
    const { preprocess: config, embedDim } = clip.config
    const pixels = await Promise.all(
      pictures.map(async (picture, i) =>
        how.prepare(await how.decode(picture, first + i, exif), { config, transforms }, undefined),
      ),
    )
    if (classifier.takes === 'pixels') {
      const all = floatTensor([pixels.length, 3, config.size, config.size])
      for (const [i, one] of pixels.entries()) all.data.set(one, i * one.length)
      return all
    }
    return floatTensor([pixels.length, embedDim], await (pixels.length < FEW ? single : encoder).encode(pixels))
  }

  return {
    classNames: distinctNames(classifier.classNames),
    async classify(pictures) {
      how.check(pictures)
      const labels: Label[][] = []
      for (let start = 0; start < pictures.length; start += BATCH) {
        labels.push(
          ...labelsOf(classifier, await classifier.logits(await seen(pictures.slice(start, start + BATCH), start))),
        )
      }
      return labels
    },
    async logits(features) {
      if (classifier.takes === 'features') return classifier.logits(features)
      throw new UsageError(`${saved.run} needs pixels, not features of the image tower`, 'call classify instead')
    },
    async dispose() {
      await classifier.dispose()
      await encoder.dispose()
      await single.dispose()
    },
  }
}

/** The classes of each row of logits, most probable first. */
export function labelsOf({ classNames }: Pick<ImageClassifier, 'classNames'>, logits: FloatTensor): Label[][] {
  const { data } = softmaxRows(logits)
  const [n, classes] = dims(logits, 2)
  const labels = distinctNames(classNames)
  return Array.from({ length: n }, (_, i) =>
    Array.from(data.subarray(i * classes, (i + 1) * classes), (probability, c) => ({
      label: labels[c] ?? '',
      probability,
    })).sort((a, b) => b.probability - a.probability),
  )
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
