import type { Hooks } from '../base/progress.ts'
import type { ModelFiles } from '../clip/model-files.ts'
import type { Clip } from '../clip/types.ts'
import type { Shots } from '../data/fewshot.ts'
import type { Step } from '../learning/types.ts'
import type { AnyMethod } from '../methods/index.ts'
import type { Exif } from '../pictures/picture.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { Views } from '../pictures/views.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import type { RunRecord } from '../trained/record.ts'
import type { WebDataset } from './data.ts'
import type { RunStore } from './runs.ts'

/** How pictures of a page are read, and with what they are looked at. */
export interface WebOptions extends RuntimeOptions {
  /** The CLIP, loaded or to load. */
  readonly model: Clip | ModelFiles
  /** To compute on; default: a new one, closed afterwards. */
  readonly runtime?: Runtime
  readonly transforms?: Transforms
  /** Default: turn; for a finished run, as for its training. */
  readonly exif?: Exif
  readonly skipBadImages?: boolean
  /** Share of each class to test on, where the data set marks no test images; default 0.3. */
  readonly testShare?: number
}

/** Options of train. */
export interface WebTrainOptions extends WebOptions {
  /** A row of METHODS by its name, or a method of one's own; default: coop. */
  readonly method?: string | AnyMethod
  /** Of the method; what is left out has its default. */
  readonly settings?: object
  /** Training images of each class at most, or `all`; default: all. */
  readonly shots?: Shots
  /** Default: 1. */
  readonly seed?: number
  /** Augmented views of each training image; default 4. */
  readonly views?: Views
  /** Hand-written prompts to compare with; default: those of the settings, else the data set's own. */
  readonly templates?: readonly string[]
  /** What settings.json and results.json call the model; default: the name of its files. */
  readonly modelName?: string
  /** Where the run is kept while it learns, so that it can go on after a closed tab; default: nowhere. */
  readonly store?: RunStore
  /** Seconds between checkpoints (default 10). */
  readonly checkpointSeconds?: number
  /** Steps between measurements on the test images while it learns by gradients (onMeasured); default: none. */
  readonly measureEvery?: number
  /** Stops soon, with a checkpoint where it is learning and there is a store. */
  readonly signal?: AbortSignal
}

/** What is told while a run learns. */
export interface WebTrainHooks extends Hooks {
  /** Accuracy of hand-written prompts on the test images, before learning begins; null where there are none. */
  readonly onZeroShot?: (accuracy: number | null) => void
  /** All steps so far: first those of a checkpoint, then after each step. */
  readonly onSteps?: (steps: readonly Step[]) => unknown
  /** Accuracy on the test images after a step, every `measureEvery` steps. */
  readonly onMeasured?: (measured: { readonly step: number; readonly accuracy: number }) => void
}

/** A finished run of a page: its record, and the files that the folder of the same run has in Node. */
export interface WebTrainResult extends RunRecord {
  /** settings.json, metrics.jsonl, learned.safetensors, results.json. */
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  /** What it was computed on. */
  readonly device: Runtime['device']
  /** What the runtime says of its choice. */
  readonly note?: string
}

export async function train(
  _data: WebDataset,
  _options: WebTrainOptions,
  _hooks: WebTrainHooks = {},
): Promise<WebTrainResult> {
  throw new Error('not built yet')
}
