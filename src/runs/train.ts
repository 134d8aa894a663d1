import { basename, resolve } from 'node:path'
import { anObject, aText, checkArguments, checkOptions, someHooks, texts } from '../base/arguments.ts'
import type { AskingHooks, Hooks } from '../base/progress.ts'
import { anySignal } from '../base/stop.ts'
import type { Shots } from '../data/fewshot.ts'
import { givenFrom } from '../data/items.ts'
import { findOfficialDataset } from '../datasets/official/table.ts'
import { DEFAULT_METHOD, givenSettings, impliedMethod, PAPER_METHOD } from '../methods/default.ts'
import { type AnyMethod, methodNamed, readSettings } from '../methods/index.ts'
import { promptsOfRun } from '../methods/templates-setting.ts'
import { DEFAULT_TEMPLATES, type Templates } from '../methods/zero-shot/templates.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { withClaim } from '../node/claim.ts'
import { BUNDLED } from '../node/package.ts'
import { exists, jsonObjectIfAny, type Rerun } from '../node/run-folder.ts'
import { checkTableFile } from '../node/table.ts'
import { DEFAULT_TRANSFORMS } from '../pictures/transforms.ts'
import type { Views } from '../pictures/views.ts'
import { DEFAULT_VIEWS } from '../pictures/views.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import {
  labelsOf,
  partsOf,
  sayCost,
  sayHowJudged,
  sayWhatIsLearned,
  subsetOf,
  takesViews,
  whileLooking,
} from '../trained/drawn.ts'
import type { Inputs } from '../trained/inputs.ts'
import { countedShots, type Job, judging } from '../trained/job.ts'
import type { RunRecord } from '../trained/record.ts'
import { decidesBefore, whatDecides } from '../trained/run-job.ts'
import { checkRunOptions } from '../trained/run-options.ts'
import { chooseModel } from './choose-model.ts'
import {
  checkShareUsed,
  checkTestable,
  checkThere,
  DATA_OPTIONS,
  type DataOptions,
  type ShareOptions,
  shortName,
} from './dataset.ts'
import { evaluateRunAsGiven } from './evaluate.ts'
import { openInputs } from './inputs.ts'
import { type OpenModelOptions, withRuntimeBeside } from './model.ts'
import { type PictureOptions, pictureReader } from './pictures.ts'
import { checkRunFolder, clearRun, finishedBefore, runFile } from './run-folder.ts'
import { runJob } from './run-job.ts'

/** Options of train. */
export interface TrainOptions extends RuntimeOptions, PictureOptions, DataOptions, ShareOptions, Rerun {
  /**
   * A row of METHODS by its name, or a method of one's own; default: DEFAULT_METHOD, and coop for the paper's data sets and where
   * `settings` has some that are CoOp's.
   */
  readonly method?: string | AnyMethod
  /** Of the method; what is left out has its default. */
  readonly settings?: object
  /** Training images of each class at most, or `all`; default: all, and 16 of the paper's data sets. */
  readonly shots?: Shots
  /** Default: 1. */
  readonly seed?: number
  /** Augmented views of each training image; default 4. */
  readonly views?: Views
  /** A word for the CLIP, as --model takes it; default: the bundled one, and for photographs one that is in the hub's cache. */
  readonly model?: string
  /**
   * Whether a method that takes long is learned several times, to calibrate its probabilities and to measure it where there are
   * no test images. Default: yes, but on the paper's data sets no. Other methods are in any case.
   */
  readonly calibrate?: boolean
  /** Share of pictures, above 0 and below 1, whose label set is to hold their class, kept with the run; default: none. */
  readonly sets?: number
  /** Share of wrong answers, above 0 and below 1, by which the threshold for "none of these" is chosen; default: by `_other/`. */
  readonly errorRate?: number
  /** Hand-written prompts to compare with; default: those of the settings, else the data set's own. */
  readonly templates?: Templates
  /** File for class, answer, logits and probabilities of each test picture, in the format that its ending says. */
  readonly predictions?: string
  /** Folder of the run; default: runs/ and the names of data set and method. */
  readonly out?: string
  /** Seconds between checkpoints (default 10). */
  readonly checkpointSeconds?: number
  /** What was typed, a word each, which results.json keeps. */
  readonly command?: readonly string[]
  /** Stops soon, with a checkpoint where it is learning; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal
}

/** A finished run: its results.json and its folder. */
export interface TrainResult extends RunRecord {
  readonly run: string
  /** True where it had finished before this call, with the same settings: nothing was done. */
  readonly before?: boolean
  /** Files of predictions that were written, where they were asked for. */
  readonly written?: readonly string[]
}

const TRAIN_OPTIONS: Readonly<Record<keyof TrainOptions, true>> = {
  method: true,
  settings: true,
  shots: true,
  seed: true,
  views: true,
  model: true,
  templates: true,
  predictions: true,
  calibrate: true,
  sets: true,
  errorRate: true,
  out: true,
  checkpointSeconds: true,
  command: true,
  signal: true,
  resume: true,
  force: true,
  testShare: true,
  precision: true,
  ...DATA_OPTIONS,
}

/**
 * Learns by any method from images of a data set (as `openDataset` takes it), measures on its test images, or without any by
 * cross-validation, and keeps all of it in a folder, which `openRun` opens. All that can be refused is refused before the first picture is
 * read; with `resume` a stopped run continues from its checkpoint, and a finished one is read.
 *
 * @throws UsageError when the folder has a run and neither `resume` nor `force` is set, or files of others and `force`
 * is not set, or on resume another method or other settings
 * @throws ClaimedError while another process works in the folder
 */
export async function train(data: string, options: TrainOptions = {}, hooks: AskingHooks = {}): Promise<TrainResult> {
  checkOptions('train', options, Object.keys(TRAIN_OPTIONS))
  return trainAsGiven(data, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function trainAsGiven(
  data: string,
  options: TrainOptions = {},
  given: AskingHooks = {},
): Promise<TrainResult> {
  checkArguments('train', { data, options, hooks: given }, { data: aText, options: anObject, hooks: someHooks })
  checkRunOptions('train', options)
  checkArguments('train', { command: options.command }, { command: texts.optional() })
  const { seed = 1, transforms = DEFAULT_TRANSFORMS, cache = defaultCacheDir(), resume, force } = options
  const rerun = { resume, force }
  const hooks = { ...given, signal: anySignal(given.signal, options.signal) }
  const isOwn = findOfficialDataset(data) === undefined
  const usual = isOwn ? DEFAULT_METHOD : PAPER_METHOD
  const named = options.method ?? impliedMethod(usual, givenSettings(options.settings), hooks)
  const method = typeof named === 'object' ? named : methodNamed(named)
  const settings = readSettings(method, options.settings ?? {})
  const learns = method.pictures !== 'none'
  const shots = learns ? (options.shots ?? (isOwn ? 'all' : 16)) : 0
  const words = [shortName(data), ...(method.name === usual ? [] : [method.name]), ...(learns ? [shots, seed] : [])]
  const run = options.out ?? `runs/${words.join('-')}`
  const { predictions } = options
  if (predictions !== undefined) await checkTableFile(predictions, [data])
  const asked: Job = {
    id: basename(resolve(run)),
    dataset: data,
    model: BUNDLED,
    method: method.name,
    title: method.title(settings),
    settings,
    shots,
    ...judging(method, settings, { ...options, isOwn }),
    seed,
    views: takesViews(method) ? (options.views ?? DEFAULT_VIEWS) : 0,
    transforms,
    split: 'all',
    elsewhere: [],
    paths: (await exists(data)) ? { [data]: resolve(data) } : {},
    root: options.root,
  }
  await checkRunFolder(run, rerun, { method: method.name })
  const inputs = openInputs({ ...options, cache })
  const dataset = await inputs.dataset(asked, data, hooks)
  const from = givenFrom([...dataset.train, ...dataset.test])
  if (predictions !== undefined && !asked.crossValidate) checkTestable(dataset, data)
  checkShareUsed(dataset, data, options)
  if (learns) sayWhatIsLearned(partsOf(asked, dataset), shots, hooks)
  const subset = subsetOf(asked, dataset)
  sayHowJudged(asked, subset, hooks)
  sayCost(asked, method, subset, hooks)
  const { others = { train: [], test: [] } } = dataset
  const items = [...subset.train, ...subset.val, ...dataset.test, ...others.train, ...others.test]
  await checkThere(dataset, items, options)

  const isBundled = from !== undefined || (resume && (await beganWith(run, asked, inputs, hooks)))
  const word = options.model ?? (isBundled ? BUNDLED : undefined)
  const { model, place } = await chooseModel(word, data, [...subset.train, ...dataset.test], hooks)
  // features that were given are what they are
  const how = from ? ({ views: 0, transforms: from.transforms ?? transforms } as const) : {}
  const paths = place === model ? asked.paths : { ...asked.paths, [model]: place }
  const job: Job = { ...asked, ...how, model, paths }
  const open = ({ onNew }: OpenModelOptions) =>
    whileLooking(pictureReader(options.cache), items, inputs.model(job, hooks, onNew))
  const result = await withRuntimeBeside(open, { ...options, items }, hooks, async ({ clip }, runtime) => {
    await checkRunFolder(run, rerun, decidesBefore(job, clip.fingerprint, dataset))
    const { classNames, templates = DEFAULT_TEMPLATES, epochs } = dataset
    const counted = countedShots(job, labelsOf(subset.train))
    method.check?.({ clip, classNames, templates, shots: counted, seed, epochs }, settings)
    const prompts = promptsOfRun(classNames, options.templates, settings)

    return withClaim(run, hooks, async (hooks) => {
      const prepared = await inputs.prepare(job, runtime, hooks, prompts)
      try {
        await checkRunFolder(run, rerun, whatDecides(job, prepared))
        const finished = resume ? await finishedBefore(run) : undefined
        if (finished) return { ...finished, run, before: true }
        if (!resume) await clearRun(run)
        const context = { ...options, runtime, pictures: { ...options, transforms: job.transforms }, methods: [method] }
        return { ...(await runJob(run, job, prepared, context, hooks)), run }
      } finally {
        await prepared.dispose()
      }
    })
  })
  if (predictions === undefined) return result
  const { written } = await evaluateRunAsGiven(
    run,
    data,
    { ...options, ...AS_TRAINED, cache, methods: [method] },
    hooks,
  )
  return { ...result, written }
}

/** Whether the run in a folder was begun with a job's model: what the cache holds now does not change the model of a run. */
async function beganWith(run: string, job: Job, inputs: Inputs, hooks: Hooks): Promise<boolean> {
  const then = await jsonObjectIfAny(runFile(run, 'settings'))
  return then !== undefined && then.model === (await inputs.model(job, hooks)).clip.fingerprint
}

/** A run is asked on its own model, by its own share of test pictures, cut as they were for it. */
const AS_TRAINED = { model: undefined, transforms: undefined, exif: undefined, testShare: undefined } as const
