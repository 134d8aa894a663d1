import { aText, checkArguments, checkOptions, someHooks } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import type { AnyMethod } from '../methods/index.ts'
import { pixelsBeside } from '../node/picture-pool.ts'
import { exists } from '../node/run-folder.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { type Exif, isPicture, type Picture, pictureName } from '../pictures/picture.ts'
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
  short,
} from '../trained/classify.ts'
import type { SavedRun } from '../trained/learned.ts'
import { checkRunOptions } from '../trained/run-options.ts'
import { type OpenedModel, type OpenModelOptions, openModel } from './model.ts'
import { waysTo } from './model-word.ts'
import { readSavedRun } from './saved-run.ts'

/** Options of openRun. */
export interface OpenRunOptions extends RuntimeOptions, Hooks, DecideOptions {
  /** To compute on, shared by several runs; default: a new one. */
  readonly runtime?: Runtime
  /** The model that the run learned on, or a word for it; default: where it was when the run was made. */
  readonly model?: string | Clip
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** How pictures are cut; default: as for its training. */
  readonly transforms?: Transforms
  /** Whether pictures are turned as their EXIF orientation says; default: as for its training. */
  readonly exif?: Exif
}

const OPEN_RUN_OPTIONS: Readonly<Record<keyof OpenRunOptions, true>> = {
  runtime: true,
  model: true,
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
 * Opens a run of `coop-ts train`, `coop-ts import`, or a sweep (`OUT/runs/ID`).
 * @throws FileError if it is not a run folder or damaged; CoopError for a model other than the one it learned with
 */
export async function openRun(folder: string, options: OpenRunOptions = {}): Promise<OpenRun> {
  checkOptions('openRun', options, Object.keys(OPEN_RUN_OPTIONS))
  checkArguments('openRun', { folder, options }, { folder: aText, options: someHooks })
  checkRunOptions('openRun', options)
  const saved = await readSavedRun(folder, options.methods)
  decider(saved, options)
  const opening = clipOf(saved, options.model, options)
  opening.catch(() => undefined) // it may fail while the runtime is opened
  const runtime = options.runtime ?? (await nodeRuntime(options))
  const closed = async (cause: unknown) => {
    if (options.runtime === undefined) await runtime.close()
    throw cause
  }
  const clip = await opening.catch(closed)
  const classifier = await classifierOf(saved, clip, runtime).catch(closed)
  const { transforms, exif, reject, sets } = options
  const opened = openSaved(saved, clip, runtime, classifier, pictures, { transforms, exif, reject, sets })
  if (options.runtime !== undefined) return opened
  return { ...opened, dispose: () => opened.dispose().finally(() => runtime.close()) }
}

const pictures: PicturesOf<Picture> = {
  check: checkPictures,
  name: pictureName,
  async pixels(picture, name, how) {
    const [pixels] = await pixelsBeside(picture, name, how, [undefined])
    return pixels!
  },
}

function checkPictures(pictures: unknown): asserts pictures is readonly Picture[] {
  const remedy =
    'give a list of paths, of bytes of files, or of { width, height, data } with data of RGB, 3 bytes a pixel'
  if (!Array.isArray(pictures)) throw new UsageError('classify takes a list of pictures', remedy)
  for (const [i, picture] of pictures.entries()) {
    if (isPicture(picture)) continue
    throw new UsageError(`picture ${i + 1} is neither a path nor bytes nor RGB pixels of its size`, remedy)
  }
}

/**
 * A run's model: the one given, or the one that a word names, else the one of its fingerprint where it was, as the path
 * was given or as it lay from the run's folder. Throws CoopError for another, UsageError where there is none.
 */
export async function clipOf(
  saved: SavedRun,
  model: string | Clip | undefined,
  hooks: Hooks,
  how: OpenModelOptions = {},
): Promise<Clip> {
  if (typeof model === 'object') return checkedClip(saved, model, 'the given model')
  return (await modelOf(saved, model, hooks, how)).clip
}

/** The same with the place of its files. */
export async function modelOf(
  saved: SavedRun,
  model: string | undefined,
  hooks: Hooks,
  how: OpenModelOptions = {},
): Promise<OpenedModel> {
  const { run, model: own } = saved
  const open = async (word: string) => {
    const opened = await openModel(word, hooks, how)
    checkedClip(saved, opened.clip, word)
    return opened
  }
  if (model !== undefined) return open(model)
  const ways = waysTo(own, run)
  const there =
    own.place === undefined
      ? ways
      : (await Promise.all(ways.map(exists))).flatMap((is, i) => (is ? (ways[i] ?? []) : []))
  let refused: unknown = new UsageError(
    `the model that ${run} was trained on is no longer in ${ways.join(' or ')}; its fingerprint is ${short(own.fingerprint)}`,
    'give its new location (--model)',
  )
  for (const [i, word] of there.entries()) {
    try {
      return await open(word)
    } catch (cause) {
      if (i === 0) refused = cause
    }
  }
  throw refused
}
