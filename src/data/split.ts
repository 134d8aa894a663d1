import { randomFor } from '../base/random.ts'
import type { Dataset, Item } from './items.ts'

/** The parts of a data set. */
export const PARTS = ['train', 'val', 'test'] as const
export type Part = (typeof PARTS)[number]

/** What people call the three parts. */
const NAMES: Readonly<Record<string, Part>> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  dev: 'val',
  test: 'test',
  testing: 'test',
}

export const PART_NAMES: readonly string[] = Object.keys(NAMES)

/** Which part a word names, in any case; undefined when none. */
export function partNamed(word: string): Part | undefined {
  const name = word.trim().toLowerCase()
  return Object.hasOwn(NAMES, name) ? NAMES[name] : undefined
}

/** Images of one class; the place of each in a seeded split depends on its `key`. */
export interface ClassImages {
  readonly name: string
  readonly images: readonly { readonly path: string; readonly key: string }[]
}

/** Shares of a class's images, as in the official code: half for training, a fifth for validation. */
const TRAIN_SHARE = 0.5
const VAL_SHARE = 0.2

/**
 * Half of each class to train, a fifth to val, the rest to test (the official code's shares); a class of two images or
 * more has at least one in train and one in test, a single image goes to train. Which image goes where depends on the
 * seed, its class and its own key alone: adding pictures or classes hardly moves the others.
 */
export function splitBySeed(classes: readonly ClassImages[], seed: number): Pick<Dataset, Part> {
  const parts = classes.map(({ name, images }, label) => {
    const rank = (key: string) => randomFor('split', seed, name, key).next()
    const shuffled = images.map(({ path, key }) => ({ path, rank: rank(key) })).sort((a, b) => a.rank - b.rank)
    const trainEnd = Math.round(images.length * TRAIN_SHARE)
    const valEnd = trainEnd + Math.min(Math.round(images.length * VAL_SHARE), Math.max(0, images.length - trainEnd - 1))
    const part = (start: number, end?: number): Item[] =>
      shuffled.slice(start, end).map(({ path }) => ({ path, label }))
    return { train: part(0, trainEnd), val: part(trainEnd, valEnd), test: part(valEnd) }
  })
  return {
    train: parts.flatMap(({ train }) => train),
    val: parts.flatMap(({ val }) => val),
    test: parts.flatMap(({ test }) => test),
  }
}
