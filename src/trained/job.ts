import type { RunShots } from '../data/fewshot.ts'
import type { Half } from '../data/halves.ts'
import { meanShots } from '../learning/labelled-rows.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { Views } from '../pictures/views.ts'

/**
 * One run, as plain JSON: everything that decides its numbers, but for the content of the files it names, and all that
 * another process needs to do it.
 */
export interface Job {
  /** Name of its folder: readable, and different for different jobs. */
  readonly id: string
  /** What `coop-ts train` takes, and what tables call the data set. */
  readonly dataset: string
  /** What `--model` takes. */
  readonly model: string
  readonly method: string
  /** What tables call the method with these settings. */
  readonly title: string
  /** Complete. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Where a plan has other settings for its data set: those that it has for the others. */
  readonly planned?: Readonly<Record<string, unknown>>
  /** Of each class at most, or `all`; 0 where nothing is learned from images. */
  readonly shots: RunShots
  /** Whether its method chooses by validation images, which are then held out where the data set marks none. */
  readonly validates?: boolean
  /** Share of each class to test on, where the data set marks no test images; default: 0.3, and 0 for `train/` alone. */
  readonly testShare?: number
  readonly seed: number
  readonly views: Views
  readonly transforms: Transforms
  /** `base`: learn from the first half of the classes, and measure on the other half as well (elsewhere.new). */
  readonly split: Exclude<Half, 'new'>
  /** Other data sets to measure on. */
  readonly elsewhere: readonly string[]
  /** Data sets and models given as paths are made absolute, so that they are found from anywhere. */
  readonly paths: Readonly<Record<string, string>>
  /** Folder above the official data sets, absolute; default: $COOP_DATA, or the current one. */
  readonly root?: string
}

/** Training images of each class as a method counts them: for `all`, their mean over the classes. */
export const countedShots = ({ shots }: Pick<Job, 'shots'>, labels: readonly number[]): number =>
  shots === 'all' ? meanShots(labels) : shots
