import type { Hooks } from '../base/progress.ts'
import type { AnyMethod } from '../methods/index.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { WebDataset } from './data.ts'
import type { WebRun } from './open-run.ts'
import type { WebOptions } from './train.ts'

/** Accuracy on test images, fractions of 1, and how they were cut. */
export interface WebEvaluated {
  readonly tested: number
  readonly chance: number
  readonly interval: [number, number]
  readonly accuracy: number
  readonly perClass: Readonly<Record<string, number>>
  readonly transforms: Transforms
  /** For each tested picture, in the order of the test items that could be read: its class and the one that it was given. */
  readonly answers: readonly { readonly label: number; readonly predicted: number }[]
}

/** Options of evaluateZeroShot. */
export interface WebZeroShotOptions extends WebOptions {
  /** Default: the data set's own. */
  readonly templates?: readonly string[]
}

/** Options of evaluateRun. */
export interface WebEvaluateOptions extends WebOptions {
  /** Use what was learned with the data set's class names, whatever the run's own. */
  readonly transfer?: boolean
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
}

export async function evaluateZeroShot(
  _data: WebDataset,
  _options: WebZeroShotOptions,
  _hooks: Hooks = {},
): Promise<WebEvaluated> {
  throw new Error('not built yet')
}
export async function evaluateRun(
  _run: WebRun,
  _data: WebDataset,
  _options: WebEvaluateOptions,
  _hooks: Hooks = {},
): Promise<WebEvaluated> {
  throw new Error('not built yet')
}
