import { anObject, checkArguments, checkOptions } from '../base/arguments.ts'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { ModelFiles } from '../clip/model-files.ts'
import type { Clip } from '../clip/types.ts'
import { bytesSource } from '../formats/safetensors.ts'
import type { AnyMethod } from '../methods/index.ts'
import type { Exif } from '../pictures/picture.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import {
  checkedClip,
  classifierOf,
  type DecideOptions,
  decider,
  type OpenRun,
  openSaved,
  type PicturesOf,
} from '../trained/classify.ts'
import { readLearned, type SavedRun } from '../trained/learned.ts'
import { RUN_FILES } from '../trained/run-files.ts'
import { checkRunOptions } from '../trained/run-options.ts'
import { bytesOf, decodeImage, isWebPicture } from './image.ts'
import { modelOf } from './model-of.ts'
import type { WebPicture } from './picture.ts'
import { preparedBeside } from './reader.ts'
import { webRuntime } from './runtime.ts'

/** A run: its learned.safetensors, or all of its files by name. */
export type WebRun = Blob | Uint8Array | ReadonlyMap<string, Uint8Array>

/** Options of openRun. */
export interface OpenWebRunOptions extends RuntimeOptions, Hooks, DecideOptions {
  /** The model that the run learned on. */
  readonly model: Clip | ModelFiles
  /** To compute on, shared by several runs; default: a new one. */
  readonly runtime?: Runtime
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** How pictures are cut; default: as for its training. */
  readonly transforms?: Transforms
  /** Whether pictures are turned as their EXIF orientation says; default: as for its training. */
  readonly exif?: Exif
}

const OPTIONS: Readonly<Record<keyof OpenWebRunOptions, true>> = {
  model: true,
  runtime: true,
  methods: true,
  transforms: true,
  exif: true,
  reject: true,
  sets: true,
  device: true,
  threads: true,
  onProgress: true,
  onWarning: true,
  signal: true,
}

/**
 * Opens a run that was trained here or in Node.
 * @throws FileError if it is no run or damaged; CoopError for a model other than the one it learned with
 */
export async function openRun(run: WebRun, options: OpenWebRunOptions): Promise<OpenRun<WebPicture>> {
  checkOptions('openRun', options, Object.keys(OPTIONS))
  const { methods, transforms, exif, reject, sets } = options
  checkRunOptions('openRun', options)
  const saved = await readRun(run, methods)
  decider(saved, options)
  const { clip, name } = await modelOf(options.model)
  checkedClip(saved, clip, name)
  const runtime = options.runtime ?? (await webRuntime({ device: options.device, threads: options.threads }))
  const close = async () => (options.runtime === undefined ? runtime.close() : undefined)
  const classifier = await classifierOf(saved, clip, runtime).catch(async (cause: unknown) => {
    await close()
    throw cause
  })
  const opened = openSaved(saved, clip, runtime, classifier, pictures, { transforms, exif, reject, sets })
  return { ...opened, dispose: () => opened.dispose().finally(close) }
}

const pictures: PicturesOf<WebPicture> = {
  check(given) {
    const remedy =
      'give a list of Files, of bytes of files, or of { width, height, data } with data of RGB, 3 bytes a pixel'
    if (!Array.isArray(given)) throw new UsageError('classify takes a list of pictures', remedy)
    const strange = given.findIndex((picture) => !isWebPicture(picture))
    if (strange < 0) return
    throw new UsageError(`picture ${strange + 1} is neither a File nor bytes nor RGB pixels of its size`, remedy)
  },
  name: (picture, index) => (picture instanceof File ? picture.name : `picture ${index + 1}`),
  pixels: async (picture, name, how) => preparedBeside(await decodeImage(picture, name, how), how),
}

/**
 * What a run learned: its method, settings, class names and tensors. Throws FileError if it is no run or damaged.
 * @param methods in addition to METHODS
 */
export async function readRun(run: WebRun, methods: readonly AnyMethod[] = []): Promise<SavedRun> {
  checkArguments('readRun', { run }, { run: anObject })
  const name = run instanceof File ? run.name : RUN_FILES.learned
  const learned = await readLearned(bytesSource(name, await learnedBytes(run, name)), methods)
  return { run: name, remedy: 'choose the file again, or learn it again', ...learned }
}

async function learnedBytes(run: WebRun, name: string): Promise<Uint8Array> {
  if (run instanceof Blob) return bytesOf(run, name)
  if (run instanceof Uint8Array) return run
  if (!(run instanceof Map)) {
    throw new UsageError('the run is neither a file nor its bytes nor files by name', 'give what train gave as files')
  }
  const learned: unknown = run.get(RUN_FILES.learned)
  if (learned instanceof Uint8Array) return learned
  throw new FileError(`the run has no ${RUN_FILES.learned}`, 'give the files of a finished run')
}
