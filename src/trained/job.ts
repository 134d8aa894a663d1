import { UsageError } from '../base/errors.ts'
import type { RunShots } from '../data/fewshot.ts'
import type { Half } from '../data/halves.ts'
import { meanShots } from '../learning/labelled-rows.ts'
import type { AnyMethod } from '../methods/index.ts'
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
  /** Into how many folds the training images are divided for out-of-fold logits; left out: none are made. */
  readonly folds?: number
  /** Folds are made of a method that takes long, which are not made of themselves. */
  readonly calibrate?: true
  /** Whether its accuracy is that of the folds, where there are no test images. */
  readonly crossValidate?: true
  /** Share of pictures whose label set is to hold their class, kept with the run; default: none is, and 0.9 is measured. */
  readonly sets?: number
  /** Share of wrong answers at most, by which the threshold of "none of these" is chosen. */
  readonly errorRate?: number
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

/** Folds for out-of-fold logits; each costs a learning more. */
const [FOLDS, FOLDS_OF_COSTLY] = [5, 3]

/** Whether learning takes so long that it is not repeated for folds unless somebody asks. */
export const isCostly = ({ costly, pictures }: AnyMethod): boolean => costly ?? pictures === 'pixels'

/** Folds for a method; undefined for none. `asked`: also of a costly method. */
export function foldsFor(method: AnyMethod, asked: boolean): number | undefined {
  if (method.pictures === 'none') return undefined
  if (!isCostly(method)) return FOLDS
  return asked ? FOLDS_OF_COSTLY : undefined
}

/** What is asked of how a run is judged. */
export interface JudgingOptions {
  readonly testShare?: number
  readonly calibrate?: boolean
  readonly sets?: number
  readonly errorRate?: number
  /** Whether the data set is none of the paper's. */
  readonly isOwn: boolean
}

/**
 * How a run of one's own is judged. Nothing is withheld unless a share is asked for: it is measured by cross-validation where the data
 * set marks no test images, on all images where nothing is learned. A method that chooses by validation images then goes
 * without.
 * @throws UsageError for what needs folds and has none
 */
export function judging(method: AnyMethod, settings: unknown, options: JudgingOptions) {
  const { testShare, calibrate = options.isOwn, sets, errorRate, isOwn } = options
  const learns = method.pictures !== 'none'
  const folds = foldsFor(method, calibrate)
  if (folds === undefined && (sets !== undefined || errorRate !== undefined)) {
    throw new UsageError(
      `label sets (--sets) and an error rate (--error-rate) follow from pictures that ${method.name} learned without`,
      learns ? 'have it learned several times: --calibrate' : 'take a method that learns from pictures',
    )
  }
  const crossValidate = learns && isOwn && testShare === undefined ? (true as const) : undefined
  return {
    validates: crossValidate ? false : method.validates?.(settings),
    testShare: testShare ?? (isOwn ? (learns ? 0 : 1) : undefined),
    folds,
    calibrate: folds !== undefined && isCostly(method) ? (true as const) : undefined,
    crossValidate,
    sets,
    errorRate,
  } satisfies Partial<Job>
}

/** Training images of each class as a method counts them: for `all`, their mean over the classes. */
export const countedShots = ({ shots }: Pick<Job, 'shots'>, labels: readonly number[]): number =>
  shots === 'all' ? meanShots(labels) : shots
