import { aText, checkArguments, checkOptions, someHooks } from '../base/arguments.ts'
import { CoopError, FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { imageEncoder } from '../clip/encode.ts'
import type { Clip } from '../clip/types.ts'
import { distinctNames } from '../data/class-names.ts'
import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import { softmaxRows } from '../learning/vectors.ts'
import type { AnyMethod } from '../methods/index.ts'
import { type DecodeOptions, decodeImage } from '../node/image.ts'
import { exists } from '../node/run-folder.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { type Exif, isPicture, type Picture, pictureName } from '../pictures/picture.ts'
import { preprocess } from '../pictures/preprocess.ts'
import { TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import { type OpenedModel, openModel } from './model.ts'
import { waysTo } from './model-word.ts'
import { LEARN_AGAIN, readSavedRun, type SavedRun } from './saved-run.ts'

/** A class and how probable it is. */
export interface Label {
  readonly label: string
  readonly probability: number
}

/** A classifier that was learned, ready to be asked as often as one likes. */
export interface OpenRun {
  /** Of the columns of logits; the second of two classes of one name is `crane (2)`. */
  readonly classNames: readonly string[]
  /** All classes of each picture, most probable first. Throws FileError for a picture that cannot be read. */
  classify(pictures: readonly Picture[]): Promise<Label[][]>
  /**
   * A picture as the model takes it, `(3, size, size)`: the first half of `classify`, for whoever has pictures ready while
   * others are computed. `name` is what messages call it. Throws FileError as decodeImage does.
   */
  pixels(picture: Picture, name: string, options?: Pick<DecodeOptions, 'maxPixels'>): Promise<Float32Array>
  /** The second half of `classify`: all classes of each picture that `pixels` gave, most probable first. */
  classifyPixels(pixels: readonly Float32Array[]): Promise<Label[][]>
  /**
   * Logits `(n, classes)` of image features `(n, embed)` of the run's model, of any length.
   * @throws UsageError where its method looks at pixels
   */
  logits(features: FloatTensor): Promise<FloatTensor>
  /** Frees what it holds; a runtime that was given stays open. */
  dispose(): Promise<void>
}

/** Options of openRun. */
export interface OpenRunOptions extends RuntimeOptions, Hooks {
  /** To compute on, shared by several runs; default: a new one. */
  readonly runtime?: Runtime
  /** The model that the run learned on, or a word for it; default: where it was when the run was made. */
  readonly model?: string | Clip
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** How pictures are cut; default: as for its training. */
  readonly transforms?: Transforms
  /** Whether pictures are turned as their EXIF orientation says; default: as for its training. */
  readonly exif?: Exif
}

const OPEN_RUN_OPTIONS: Readonly<Record<keyof OpenRunOptions, true>> = {
  runtime: true,
  model: true,
  methods: true,
  transforms: true,
  exif: true,
  device: true,
  threads: true,
  onProgress: true,
  onWarning: true,
  signal: true,
}

/** Pictures that are decoded and classified at a time. */
const BATCH = 32
/**
 * Pictures that are encoded at a time, in steps: each step takes what fills its batches, the last of them to this share at
 * least, as a batch costs what it holds at most. With the bundled model a picture of eight costs half of one by itself, in
 * larger batches no less, and of four little more. With a large one it costs the same, and each step holds its weights anew.
 */
const [STEPS, STEPS_OF_LARGE, FILLED] = [[8, 4, 1], [8, 1], 0.75]
/** Values of the weights of a large model. */
const LARGE = 20_000_000

/**
 * Opens a run of `coop-ts train`, `coop-ts import`, or a sweep (`OUT/runs/ID`).
 * @throws FileError if it is not a run folder or damaged; CoopError for a model other than the one it learned with
 */
export async function openRun(folder: string, options: OpenRunOptions = {}): Promise<OpenRun> {
  checkOptions('openRun', options, Object.keys(OPEN_RUN_OPTIONS))
  checkArguments('openRun', { folder, options }, { folder: aText, options: someHooks })
  const saved = await readSavedRun(folder, options.methods)
  const clip = await clipOf(saved, options.model, options)
  const runtime = options.runtime ?? (await nodeRuntime(options))
  const classifier = await classifierOf(saved, clip, runtime).catch(async (cause: unknown) => {
    if (options.runtime === undefined) await runtime.close()
    throw cause
  })
  const { transforms = saved.transforms, exif = saved.exif } = options
  const { preprocess: config, embedDim } = clip.config
  const isLarge = Array.from(clip.weights.values()).reduce((sum, { data }) => sum + data.length, 0) > LARGE
  const encoders = (isLarge ? STEPS_OF_LARGE : STEPS).map((size) => ({ size, ...imageEncoder(clip, runtime, size) }))

  async function pixelsOf(picture: Picture, name: string, decoding: Pick<DecodeOptions, 'maxPixels'> = {}) {
    const image = await decodeImage(picture, name, { ...decoding, exif })
    return preprocess(image, config, TRANSFORMS[transforms].test)
  }

  async function seen(pixels: readonly Float32Array[]): Promise<FloatTensor> {
    if (classifier.takes === 'pixels') {
      const all = floatTensor([pixels.length, 3, config.size, config.size])
      for (const [i, one] of pixels.entries()) all.data.set(one, i * one.length)
      return all
    }
    const features = floatTensor([pixels.length, embedDim])
    let start = 0
    for (const { size, encode } of encoders) {
      const rest = (pixels.length - start) % size
      const end = pixels.length - (rest < FILLED * size ? rest : 0)
      features.data.set(await encode(pixels.slice(start, end)), start * embedDim)
      start = end
    }
    return features
  }

  async function classifyPixels(pixels: readonly Float32Array[]): Promise<Label[][]> {
    return pixels.length === 0 ? [] : labelsOf(classifier, await classifier.logits(await seen(pixels)))
  }

  return {
    classNames: distinctNames(classifier.classNames),
    async classify(pictures) {
      checkPictures(pictures)
      const labels: Label[][] = []
      for (let start = 0; start < pictures.length; start += BATCH) {
        const batch = pictures.slice(start, start + BATCH)
        const pixels = batch.map((picture, i) => pixelsOf(picture, pictureName(picture, start + i)))
        labels.push(...(await classifyPixels(await Promise.all(pixels))))
      }
      return labels
    },
    pixels: pixelsOf,
    classifyPixels,
    async logits(features) {
      if (classifier.takes === 'features') return classifier.logits(features)
      throw new UsageError(`${folder} needs pixels, not features of the image tower`, 'call classify instead')
    },
    async dispose() {
      await classifier.dispose()
      await Promise.all(encoders.map((encoder) => encoder.dispose()))
      if (options.runtime === undefined) await runtime.close()
    },
  }
}

function checkPictures(pictures: unknown): asserts pictures is readonly Picture[] {
  const remedy =
    'give a list of paths, of bytes of files, or of { width, height, data } with data of RGB, 3 bytes a pixel'
  if (!Array.isArray(pictures)) throw new UsageError('classify takes a list of pictures', remedy)
  for (const [i, picture] of pictures.entries()) {
    if (isPicture(picture)) continue
    throw new UsageError(`picture ${i + 1} is neither a path nor bytes nor RGB pixels of its size`, remedy)
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

/**
 * A run's model: the one given, or the one that a word names, else the one of its fingerprint where it was, as the path
 * was given or as it lay from the run's folder. Throws CoopError for another, UsageError where there is none.
 */
export async function clipOf(saved: SavedRun, model: string | Clip | undefined, hooks: Hooks): Promise<Clip> {
  if (typeof model === 'object') return checkedClip(saved, model, 'the given model')
  return (await modelOf(saved, model, hooks)).clip
}

/** The same with the place of its files. */
export async function modelOf(saved: SavedRun, model: string | undefined, hooks: Hooks): Promise<OpenedModel> {
  const { run, model: own } = saved
  const open = async (word: string) => {
    const opened = await openModel(word, hooks)
    checkedClip(saved, opened.clip, word)
    return opened
  }
  if (model !== undefined) return open(model)
  const ways = waysTo(own, run)
  const there =
    own.place === undefined
      ? ways
      : (await Promise.all(ways.map(exists))).flatMap((is, i) => (is ? (ways[i] ?? []) : []))
  let refused: unknown = new UsageError(
    `the model that ${run} was trained on is no longer in ${ways.join(' or ')}; its fingerprint is ${short(own.fingerprint)}`,
    'give its new location (--model)',
  )
  for (const [i, word] of there.entries()) {
    try {
      return await open(word)
    } catch (cause) {
      if (i === 0) refused = cause
    }
  }
  throw refused
}

const short = (fingerprint: string) => `${fingerprint.slice(0, 12)}...`

/** A model, if it is the one that a run learned with. */
function checkedClip({ run, model: own, tensors }: SavedRun, clip: Clip, word: string): Clip {
  if (clip.fingerprint === own.fingerprint) return clip
  const what = `the ${tensors.has('ctx') ? 'prompt' : 'classifier'} of ${run}`
  throw new CoopError(
    `${what} was learned with another model, ${own.name} with fingerprint ${short(own.fingerprint)}; the fingerprint of ${word} is ${short(clip.fingerprint)}`,
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
