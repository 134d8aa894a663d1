import type { z } from 'zod'
import { aFunction, anObject, aText, checkArguments, withMembers } from '../base/arguments.ts'
import type { OnlineViews, PixelSource, TrainingSet } from '../learning/batches.ts'
import type { ImageClassifier, NamedClasses } from '../learning/classifier.ts'
import type { OutOfFold } from '../learning/folds.ts'
import type { LearnOptions, Step, Tensors } from '../learning/types.ts'
import { parsedSettings } from './settings.ts'
import type { Templates } from './zero-shot/templates.ts'

/** Classes to tell apart with a CLIP. */
export interface Classes extends NamedClasses {
  /** Hand-written prompts of the data set, `{}` for the class name; or those of each class. */
  readonly templates: Templates
}

/** What a method learns from: features of a few images of each class. */
export interface Task extends Classes {
  /** `(images, views, embed)`, of any length. */
  readonly train: TrainingSet
  /**
   * Given where new views are to be drawn for each epoch: a method that learns in epochs then takes these instead of
   * the views in `train`, which any other method learns from.
   */
  readonly online?: OnlineViews
  /** The images of `train` as pixels, for a method that asks for them (`pictures: 'pixels'`). */
  readonly pixels?: PixelSource
  /** Images to choose settings by, one view each; there may be none. */
  readonly val: TrainingSet
  /** Training images of each class at most; where all are taken, their mean over the classes. */
  readonly shots: number
  /** Epochs that the paper learns for on this data set, where they do not follow from the shots. */
  readonly epochs?: number
  readonly seed: number
}

/** What was learned, all that `classifier` needs apart from settings and classes. */
export interface Learned {
  /** Empty where nothing is learned. */
  readonly tensors: Tensors
  /** What was found on the way and is worth keeping, such as the C of a linear probe; plain JSON. */
  readonly facts: Readonly<Record<string, unknown>>
  readonly steps: readonly Step[]
  /** Given by a method that cross-validates anyway: what it says of its training images where it has not seen them. */
  readonly outOfFold?: OutOfFold
}

/**
 * A way to make a classifier from a frozen CLIP and a few images. Each has its own folder and is a row of
 * METHODS; sweeps, runs on disk and reports know it by nothing else.
 */
export interface Method<S = unknown> {
  readonly name: string
  /** One line for lists. */
  readonly summary: string
  /** Authors, title, venue, and the official code where there is one. */
  readonly source: string
  /**
   * What it learns from: no pictures; features of pictures as they are tested, one view each; features of augmented
   * views; or the pixels of augmented views.
   */
  readonly pictures: 'none' | 'plain' | 'views' | 'pixels'
  /** Plain JSON in, complete settings out, which read again are the same; unknown fields are refused (z.strictObject). */
  readonly settings: z.ZodType<S>
  /** The method for these settings as tables call it, such as `CoOp, middle, class-specific`. */
  title(settings: S): string
  /** Whether what was learned gives a classifier for class names that were not among those learned from. */
  transfers(settings: S): boolean
  /**
   * Whether it chooses by validation images (`val`), if there are any; left out: it does not. Where a data set marks none,
   * such a method gives up a share of the training images for them.
   */
  validates?(settings: S): boolean
  /**
   * Whether every step of learning runs through a tower, which takes long: it is then learned for fewer folds, and in
   * sweeps and on the paper's data sets for none that nobody asked for. Default: where it learns from pixels.
   */
  readonly costly?: boolean
  /** Throws, before anything is computed, where settings, class names and model do not fit. */
  check?(task: Omit<Task, 'train' | 'val' | 'online' | 'pixels' | 'runtime'>, settings: S): void
  /** @throws DivergedError when the loss is no number any more */
  learn(task: Task, settings: S, options: LearnOptions): Promise<Learned>
  /** The classifier of what was learned, for its own classes, or where the method transfers, for any. */
  classifier(classes: Classes, settings: S, learned: Pick<Learned, 'tensors'>): Promise<ImageClassifier>
}

const METHOD = {
  name: aText,
  settings: withMembers('a schema of zod', 'safeParse'),
  title: aFunction,
  transfers: aFunction,
  learn: aFunction,
  classifier: aFunction,
}

/** Ties a method to the type of its settings, so that a list of methods can hold it: settings are parsed where they enter. */
export function defineMethod<S>(method: Method<S>): AnyMethod {
  checkArguments('defineMethod', { method }, { method: anObject })
  checkArguments('defineMethod', { ...method }, METHOD)
  const read = (settings: unknown) => parsedSettings(method, settings)
  return {
    ...method,
    title: (settings) => method.title(read(settings)),
    transfers: (settings) => method.transfers(read(settings)),
    validates: (settings) => method.validates?.(read(settings)) ?? false,
    check: (task, settings) => method.check?.(task, read(settings)),
    learn: (task, settings, options) => method.learn(task, read(settings), options),
    classifier: (classes, settings, learned) => method.classifier(classes, read(settings), learned),
  }
}

/** A method whose settings are checked where they enter, as a list of methods holds it. */
export type AnyMethod = Method<unknown>
