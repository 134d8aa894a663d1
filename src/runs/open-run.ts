import { CoopError, FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { imageEncoder } from '../clip/encode.ts'
import type { Clip, RgbImage } from '../clip/types.ts'
import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import { softmaxRows } from '../learning/vectors.ts'
import type { AnyMethod } from '../methods/index.ts'
import { decodeImage } from '../node/image.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { preprocess } from '../pictures/preprocess.ts'
import { TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import { openModel } from './model.ts'
import { LEARN_AGAIN, modelOf, readSavedRun, type SavedRun } from './saved-run.ts'

/** A picture: the path of its file, its bytes (PNG, JPEG ...), or decoded. */
export type Picture = string | Uint8Array | RgbImage

/** A class and how probable it is. */
export interface Label {
  readonly label: string
  readonly probability: number
}

/** A classifier that was learned, ready to be asked as often as one likes. */
export interface OpenRun {
  readonly classNames: readonly string[]
  /** All classes of each picture, most probable first. Throws FileError for a picture that cannot be read. */
  classify(pictures: readonly Picture[]): Promise<Label[][]>
  /**
   * Logits `(n, classes)` of image features `(n, embed)` of the run's model, of any length.
   * @throws UsageError where its method looks at pixels
   */
  logits(features: FloatTensor): Promise<FloatTensor>
  /** Frees what it holds; a runtime that was given stays open. */
  dispose(): Promise<void>
}

export interface OpenRunOptions extends RuntimeOptions, Hooks {
  /** To compute on, shared by several runs; default: a new one. */
  readonly runtime?: Runtime
  /** The model that the run learned on, or a word for it; default: where it was when the run was made. */
  readonly model?: string | Clip
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** How pictures are cut; default: as for its training. */
  readonly transforms?: Transforms
}

const BATCH = 32

/**
 * Opens a run of `coop train`, `coop import`, or a sweep (`OUT/runs/ID`).
 * @throws FileError if it is not a run folder or damaged; CoopError for a model other than the one it learned with
 */
export async function openRun(folder: string, options: OpenRunOptions = {}): Promise<OpenRun> {
  const saved = await readSavedRun(folder, options.methods)
  const clip = await clipOf(saved, options.model, options)
  const runtime = options.runtime ?? (await nodeRuntime(options))
  const classifier = await classifierOf(saved, clip, runtime).catch(async (cause: unknown) => {
    if (options.runtime === undefined) await runtime.close()
    throw cause
  })
  const { transforms = saved.transforms } = options
  const encoder = imageEncoder(clip, runtime, BATCH)

  async function seen(pictures: readonly Picture[]): Promise<FloatTensor> {
    const { preprocess: config, embedDim } = clip.config
    const pixels = await Promise.all(
      pictures.map(async (picture, i) => {
        const isDecoded = typeof picture === 'object' && 'width' in picture
        const image = isDecoded ? picture : await decodeImage(picture, `picture ${i + 1}`)
        return preprocess(image, config, TRANSFORMS[transforms].test)
      }),
    )
    if (classifier.takes === 'pixels') {
      const all = floatTensor([pixels.length, 3, config.size, config.size])
      for (const [i, one] of pixels.entries()) all.data.set(one, i * one.length)
      return all
    }
    return floatTensor([pixels.length, embedDim], await encoder.encode(pixels))
  }

  return {
    classNames: classifier.classNames,
    async classify(pictures) {
      const labels: Label[][] = []
      for (let start = 0; start < pictures.length; start += BATCH) {
        labels.push(...labelsOf(classifier, await classifier.logits(await seen(pictures.slice(start, start + BATCH)))))
      }
      return labels
    },
    async logits(features) {
      if (classifier.takes === 'features') return classifier.logits(features)
      throw new UsageError(`${folder} needs pixels, not features of the image tower`, 'call classify instead')
    },
    async dispose() {
      await classifier.dispose()
      await encoder.dispose()
      if (options.runtime === undefined) await runtime.close()
    },
  }
}

/** The classes of each row of logits, most probable first. */
export function labelsOf({ classNames }: Pick<ImageClassifier, 'classNames'>, logits: FloatTensor): Label[][] {
  const { data } = softmaxRows(logits)
  const [n, classes] = dims(logits, 2)
  return Array.from({ length: n }, (_, i) =>
    Array.from(data.subarray(i * classes, (i + 1) * classes), (probability, c) => ({
      label: classNames[c] ?? '',
      probability,
    })).sort((a, b) => b.probability - a.probability),
  )
}

/** A run's model: the one given, or the one that a word names, else where it was. Throws CoopError for another. */
export async function clipOf(saved: SavedRun, model: string | Clip | undefined, hooks: Hooks): Promise<Clip> {
  const { run, model: own, tensors } = saved
  const word = typeof model === 'object' ? 'the given model' : (model ?? (await modelOf(saved)))
  const clip = typeof model === 'object' ? model : (await openModel(word, hooks)).clip
  if (clip.fingerprint === own.fingerprint) return clip
  const what = `the ${tensors.has('ctx') ? 'prompt' : 'classifier'} of ${run}`
  const [then, now] = [own.fingerprint, clip.fingerprint].map((fingerprint) => `${fingerprint.slice(0, 12)}...`)
  throw new CoopError(
    `${what} was learned with another model, ${own.name} with fingerprint ${then}; the fingerprint of ${word} is ${now}`,
    'give the model that it was learned with (--model), or learn it again',
  )
}

/** The classifier of a run, for its own classes or for others that replace them. */
export async function classifierOf(saved: SavedRun, clip: Clip, runtime: Runtime): Promise<ImageClassifier> {
  const { run, method, settings, classNames, templates, tensors } = saved
  try {
    return await method.classifier({ clip, runtime, classNames, templates }, settings, { tensors })
  } catch (cause) {
    if (!(cause instanceof CoopError) || cause instanceof UsageError) throw cause
    // what is wrong with class names or tensors is wrong with the run
    throw new FileError(`${run}: ${cause.message}`, cause.remedy ?? LEARN_AGAIN, { cause })
  }
}
