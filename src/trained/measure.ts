import type { Hooks } from '../base/progress.ts'
import { wilsonInterval } from '../base/wilson.ts'
import type { Clip } from '../clip/types.ts'
import { distinctNames } from '../data/class-names.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { accuracyOf, type ImageClassifier } from '../learning/classifier.ts'
import { largestClass } from '../learning/labelled-rows.ts'
import { type EncodedItems, type EncodeOptions, imageRows } from './pictures.ts'
import { pixelSource } from './pixels.ts'
import type { PictureReader } from './reader.ts'

/** Pictures of one pass of a classifier that looks at pixels. */
const BATCH = 64

/** The class that a classifier gives each picture, an index into its class names. */
export async function answersOf(
  reader: PictureReader,
  classifier: ImageClassifier,
  clip: Clip,
  images: EncodedItems,
  options: EncodeOptions,
  hooks: Hooks = {},
): Promise<number[]> {
  const answers: number[][] = []
  for await (const { seen, hooks: own } of shown(reader, classifier, clip, images, options, hooks)) {
    answers.push(await classifier.predict(seen, own))
  }
  return answers.flat()
}

/** A classifier's logits of pictures, `(items, classes)`. */
export async function logitsOf(
  reader: PictureReader,
  classifier: ImageClassifier,
  clip: Clip,
  images: EncodedItems,
  options: EncodeOptions,
  hooks: Hooks = {},
): Promise<FloatTensor> {
  const logits = floatTensor([images.items.length, classifier.classNames.length])
  let filled = 0
  for await (const { seen, hooks: own } of shown(reader, classifier, clip, images, options, hooks)) {
    const { data } = await classifier.logits(seen, own)
    logits.data.set(data, filled)
    filled += data.length
  }
  return logits
}

/** Pictures as a classifier looks at them: features of all, or pixels of some at a time; the hooks count all. */
async function* shown(
  reader: PictureReader,
  { takes }: ImageClassifier,
  clip: Clip,
  images: EncodedItems,
  options: EncodeOptions,
  hooks: Hooks,
): AsyncGenerator<{ readonly seen: FloatTensor; readonly hooks: Hooks }> {
  const total = images.items.length
  if (takes !== 'pixels') return yield { seen: imageRows(images, takes), hooks }
  const source = pixelSource(reader, clip, images.items, 0, 0, options)
  for (let first = 0; first < total; first += BATCH) {
    const some = Array.from({ length: Math.min(BATCH, total - first) }, (_, i) => first + i)
    const onProgress: Hooks['onProgress'] = (event) => hooks.onProgress?.({ ...event, done: first + event.done, total })
    yield { seen: await source.pixels(some, 0), hooks: { ...hooks, onProgress } }
  }
}

/** Share of right answers and what it is worth, fractions of 1. */
export interface Shares {
  /** Pictures that were tested. */
  readonly tested: number
  /** Accuracy of always giving the class that most of them have: 1 / classes where all have as many. */
  readonly chance: number
  /** Wilson's 95 % interval of the accuracy, for other pictures of the same kind. */
  readonly interval: [number, number]
  /** Of all pictures. */
  readonly accuracy: number
  /** Of each class that has pictures, by its name. */
  readonly perClass: Readonly<Record<string, number>>
}

/** Throws RangeError where there are no pictures. */
export function sharesOf(classNames: readonly string[], answers: readonly number[], labels: readonly number[]): Shares {
  const { accuracy, perClass } = accuracyOf(classNames, answers, labels)
  const named = distinctNames(classNames).map((name, c) => [name, perClass[c] ?? Number.NaN] as const)
  const tested = labels.length
  const right = labels.filter((label, i) => answers[i] === label).length
  const worth = { tested, chance: largestClass(labels) / tested, interval: wilsonInterval(right, tested) }
  return { accuracy, ...worth, perClass: Object.fromEntries(named.filter(([, share]) => !Number.isNaN(share))) }
}
