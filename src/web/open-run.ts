import type { Hooks } from '../base/progress.ts'
import type { ModelFiles } from '../clip/model-files.ts'
import type { Clip } from '../clip/types.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import type { AnyMethod } from '../methods/index.ts'
import type { Exif } from '../pictures/picture.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import type { WebPicture } from './picture.ts'

/** A run: its learned.safetensors, or all of its files by name. */
export type WebRun = Blob | Uint8Array | ReadonlyMap<string, Uint8Array>

/** A class and how probable it is. */
export interface Label {
  readonly label: string
  readonly probability: number
}

/** A classifier that was learned, ready to be asked as often as one likes. */
export interface OpenWebRun {
  readonly classNames: readonly string[]
  /** All classes of each picture, most probable first. Throws FileError for a picture that cannot be read. */
  classify(pictures: readonly WebPicture[]): Promise<Label[][]>
  /** Logits `(n, classes)` of image features `(n, embed)` of the run's model. */
  logits(features: FloatTensor): Promise<FloatTensor>
  /** Frees what it holds; a runtime that was given stays open. */
  dispose(): Promise<void>
}

/** Options of openRun. */
export interface OpenWebRunOptions extends RuntimeOptions, Hooks {
  /** The model that the run learned on. */
  readonly model: Clip | ModelFiles
  readonly runtime?: Runtime
  readonly methods?: readonly AnyMethod[]
  readonly transforms?: Transforms
  readonly exif?: Exif
}

export async function openRun(_run: WebRun, _options: OpenWebRunOptions): Promise<OpenWebRun> {
  throw new Error('not built yet')
}

/** What a run learned, without a model: method, settings, class names, tensors. */
export async function readRun(_run: WebRun, _methods: readonly AnyMethod[] = []): Promise<never> {
  throw new Error('not built yet')
}
