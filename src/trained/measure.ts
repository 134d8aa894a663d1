import { breathing } from '../base/breathe.ts'
import type { Hooks } from '../base/progress.ts'
import { wilsonInterval } from '../base/wilson.ts'
import type { Clip } from '../clip/types.ts'
import { distinctNames } from '../data/class-names.ts'
import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'
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

/** What a classifier says of labelled pictures. */
export interface Judged {
  /** The class that it gives each, an index into its class names. */
  readonly answers: readonly number[]
  /** How many classes it finds more probable than the picture's own. */
  readonly above: readonly number[]
}

/** Rows whose logits are held at a time. */
const ROWS = 4096

/** The same with the place of each picture's own class among the answers, some logits in memory at a time. */
export async function judge(
  reader: PictureReader,
  classifier: ImageClassifier,
  clip: Clip,
  images: EncodedItems,
  options: EncodeOptions,
  hooks: Hooks = {},
): Promise<Judged> {
  const found: Judged[] = []
  let first = 0
  for await (const { seen, hooks: own } of shown(reader, classifier, clip, images, options, hooks, ROWS)) {
    const logits = await classifier.logits(seen, own)
    const [n] = dims(logits, 2)
    found.push(await judged(logits, images.labels.slice(first, first + n)))
    first += n
  }
  return { answers: found.flatMap(({ answers }) => answers), above: found.flatMap(({ above }) => above) }
}

/** What logits `(n, classes)` say of n pictures of these classes. */
export async function judged(logits: FloatTensor, labels: readonly number[]): Promise<Judged> {
  const [n, classes] = dims(logits, 2)
  const answers = new Array<number>(n).fill(0)
  const above = new Array<number>(n).fill(0)
  await breathing(n, (i) => {
    const row = logits.data.subarray(i * classes, (i + 1) * classes)
    const label = labels[i] ?? 0
    const own = row[label] ?? Number.NaN
    let best = 0
    for (let c = 0; c < classes; c++) {
      const value = row[c]!
      if (value > row[best]!) best = c
      // what is no number stands above
      if (!(value < own || (value === own && c >= label))) above[i]! += 1
    }
    answers[i] = best
  })
  return { answers, above }
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

/** Pictures as a classifier looks at them: features of all or of so many `rows`, or pixels of some at a time; the hooks count all. */
async function* shown(
  reader: PictureReader,
  { takes }: ImageClassifier,
  clip: Clip,
  images: EncodedItems,
  options: EncodeOptions,
  hooks: Hooks,
  rows = Number.POSITIVE_INFINITY,
): AsyncGenerator<{ readonly seen: FloatTensor; readonly hooks: Hooks }> {
  const total = images.items.length
  const source = pixelSource(reader, clip, images.items, 0, 0, options)
  const features = imageRows(images, takes === 'pixels' ? 'features' : takes)
  const [, width] = dims(features, 2)
  const step = Math.min(takes === 'pixels' ? BATCH : rows, Math.max(1, total))
  for (let first = 0; first < total; first += step) {
    const end = Math.min(total, first + step)
    const some = Array.from({ length: takes === 'pixels' ? end - first : 0 }, (_, i) => first + i)
    const seen =
      takes === 'pixels'
        ? await source.pixels(some, 0)
        : floatTensor([end - first, width], features.data.subarray(first * width, end * width))
    const onProgress: Hooks['onProgress'] = (event) => hooks.onProgress?.({ ...event, done: first + event.done, total })
    yield { seen, hooks: { ...hooks, onProgress } }
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
  /** Mean of these: each class counts the same, however many pictures it has. */
  readonly meanPerClass: number
  /** Share of pictures whose class is among the five most probable; undefined where only answers are known. */
  readonly top5?: number
  /** How many pictures of each class (row) were given each class (column), by the places of class names. */
  readonly confusion: readonly (readonly number[])[]
}

/**
 * @param above how many classes are more probable than its own, for each picture
 * @throws RangeError where there are no pictures
 */
export function sharesOf(
  classNames: readonly string[],
  answers: readonly number[],
  labels: readonly number[],
  above?: readonly number[],
): Shares {
  const { accuracy, perClass } = accuracyOf(classNames, answers, labels)
  const named = distinctNames(classNames).map((name, c) => [name, perClass[c] ?? Number.NaN] as const)
  const there = named.filter(([, share]) => !Number.isNaN(share))
  const tested = labels.length
  const right = labels.filter((label, i) => answers[i] === label).length
  const worth = { tested, chance: largestClass(labels) / tested, interval: wilsonInterval(right, tested) }
  const meanPerClass = there.reduce((sum, [, share]) => sum + share, 0) / there.length
  const top5 = above && above.filter((classes) => classes < TOP).length / tested
  const confusion = confusionOf(classNames.length, answers, labels)
  return { accuracy, ...worth, perClass: Object.fromEntries(there), meanPerClass, top5, confusion }
}

const TOP = 5

function confusionOf(classes: number, answers: readonly number[], labels: readonly number[]): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (const [i, label] of labels.entries()) counts[label]![answers[i]!]! += 1
  return counts
}
