import { anObject, checkArguments, checkOptions, someHooks, wholeFrom } from '../base/arguments.ts'
import type { Hooks } from '../base/progress.ts'
import { anySignal } from '../base/stop.ts'
import type { ModelFiles } from '../clip/model-files.ts'
import type { Clip } from '../clip/types.ts'
import type { Shots } from '../data/fewshot.ts'
import type { LearnOptions, Step, Tensors } from '../learning/types.ts'
import { DEFAULT_METHOD, givenSettings, impliedMethod } from '../methods/default.ts'
import { type AnyMethod, methodNamed, readSettings } from '../methods/index.ts'
import { promptsOfRun } from '../methods/templates-setting.ts'
import { DEFAULT_TEMPLATES, type Templates } from '../methods/zero-shot/templates.ts'
import type { Exif } from '../pictures/picture.ts'
import { DEFAULT_TRANSFORMS, type Transforms } from '../pictures/transforms.ts'
import { DEFAULT_VIEWS, type Views } from '../pictures/views.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import { labelsOf, partsOf, sayHowJudged, sayWhatIsLearned, subsetOf, takesViews } from '../trained/drawn.ts'
import { inputsOf } from '../trained/inputs.ts'
import { countedShots, type Job, judging } from '../trained/job.ts'
import { answersOf, sharesOf } from '../trained/measure.ts'
import type { RunRecord } from '../trained/record.ts'
import { learnJob, whatDecides } from '../trained/run-job.ts'
import { checkRunOptions } from '../trained/run-options.ts'
import { openData, type WebDataset } from './data.ts'
import { modelOf } from './model-of.ts'
import { PageStore } from './page-store.ts'
import { webReader } from './reader.ts'
import type { RunStore } from './runs.ts'
import { defaultThreads, withWebRuntime } from './runtime.ts'
import { ONNXRUNTIME_WEB, VERSION } from './version.ts'

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
  /**
   * Share of each class to test on, where the data set marks no test images. Default: train withholds none and measures by
   * cross-validation; evaluateZeroShot tests on all, evaluateRun on what the run left out.
   */
  readonly testShare?: number
}

/** Options of train. */
export interface WebTrainOptions extends WebOptions {
  /** A row of METHODS by its name, or a method of one's own; default: DEFAULT_METHOD, and coop where `settings` has some of it. */
  readonly method?: string | AnyMethod
  /** Of the method; what is left out has its default. */
  readonly settings?: object
  /** Training images of each class at most, or `all`; default: all. */
  readonly shots?: Shots
  /** Default: 1. */
  readonly seed?: number
  /** Augmented views of each training image; default 4. */
  readonly views?: Views
  /** Share of pictures, above 0 and below 1, whose label set is to hold their class, kept with the run; default: none. */
  readonly sets?: number
  /** Share of wrong answers, above 0 and below 1, by which the threshold for "none of these" is chosen; default: by `others`. */
  readonly errorRate?: number
  /**
   * Whether a method that takes long is learned several times, to calibrate its probabilities and to measure it where there are
   * no test pictures; default: yes.
   */
  readonly calibrate?: boolean
  /** Hand-written prompts to compare with; default: those of the settings, else the data set's own. */
  readonly templates?: Templates
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
  readonly onMeasured?: (measured: Measured) => void
}

/** What is learned after some step, and its accuracy on the test images. */
export interface Measured {
  readonly step: number
  readonly accuracy: number
  /** As it is now: the next step changes these very values. */
  readonly tensors: Tensors
}

/** A finished run of a page: its record, and the files that the folder of the same run has in Node. */
export interface WebTrainResult extends RunRecord {
  /** settings.json, metrics.jsonl, out-of-fold.safetensors where it was cross-validated, learned.safetensors, results.json. */
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  /** What it was computed on. */
  readonly device: Runtime['device']
  /** What the runtime says of its choice. */
  readonly note?: string
}

const WEB_OPTIONS: Readonly<Record<keyof WebOptions, true>> = {
  model: true,
  runtime: true,
  device: true,
  threads: true,
  transforms: true,
  exif: true,
  skipBadImages: true,
  testShare: true,
}
export const WEB_OPTION_NAMES = Object.keys(WEB_OPTIONS)

const TRAIN_OPTIONS: Readonly<Record<Exclude<keyof WebTrainOptions, keyof WebOptions>, true>> = {
  method: true,
  calibrate: true,
  settings: true,
  shots: true,
  seed: true,
  views: true,
  sets: true,
  errorRate: true,
  templates: true,
  modelName: true,
  store: true,
  checkpointSeconds: true,
  measureEvery: true,
  signal: true,
}

/**
 * Learns by any method from pictures of a page, and measures on its test pictures, or without any by cross-validation. With a `store`, a run that
 * was stopped there (a closed tab) goes on from its checkpoint, if pictures and settings are the same, and one that has
 * finished is read. The same pictures in the same order, seed and model give what Node gives, up to the last digits.
 *
 * @throws UsageError for wrong options or data, FileError for pictures that cannot be read, DivergedError when the loss is no
 * number any more; the signal's reason when it was stopped
 */
export async function train(
  data: WebDataset,
  options: WebTrainOptions,
  hooks: WebTrainHooks = {},
): Promise<WebTrainResult> {
  checkOptions('train', options, [...WEB_OPTION_NAMES, ...Object.keys(TRAIN_OPTIONS)])
  checkArguments('train', { data, hooks }, { data: anObject, hooks: someHooks })
  const { seed = 1, transforms = DEFAULT_TRANSFORMS, measureEvery } = options
  checkArguments('train', { measureEvery }, { measureEvery: wholeFrom(1).optional() })
  checkRunOptions('train', options)
  const heard = { ...hooks, signal: anySignal(hooks.signal, options.signal) }
  const named = options.method ?? impliedMethod(DEFAULT_METHOD, givenSettings(options.settings), heard)
  const method = typeof named === 'object' ? named : methodNamed(named)
  const settings = readSettings(method, options.settings ?? {})
  const unmeasured = data.test?.length === 0 ? 0 : undefined
  const asked = { ...options, testShare: options.testShare ?? unmeasured }
  const { testShare, ...judged } = judging(method, settings, { ...asked, isOwn: true })
  const { dataset, files } = await openData(data, {
    ...options,
    testShare: data.test === undefined ? testShare : options.testShare,
  })
  const shots = method.pictures === 'none' ? 0 : (options.shots ?? 'all')
  const { clip, name } = await modelOf(options.model)
  const job: Job = {
    id: [dataset.name, method.name, shots, seed].join('-'),
    dataset: dataset.name,
    model: options.modelName ?? name,
    method: method.name,
    title: method.title(settings),
    settings,
    shots,
    ...judged,
    testShare: dataset.testShare,
    seed,
    views: takesViews(method) ? (options.views ?? DEFAULT_VIEWS) : 0,
    transforms,
    split: 'all',
    elsewhere: [],
    paths: {},
  }
  if (shots !== 0) sayWhatIsLearned(partsOf(job, dataset), shots, heard)
  const { classNames, templates = DEFAULT_TEMPLATES } = dataset
  const subset = subsetOf(job, dataset)
  sayHowJudged(job, subset, heard)
  const counted = countedShots(job, labelsOf(subset.train))
  method.check?.({ clip, classNames, templates, shots: counted, seed }, settings)
  const prompts = promptsOfRun(classNames, options.templates, settings)
  const reader = webReader(files)
  const source = { key: () => '', model: async () => ({ clip, name: job.model }), dataset: async () => dataset }

  return withWebRuntime(options, heard, async (runtime) => {
    const pictures = { transforms, skipBadImages: options.skipBadImages }
    const inputs = await inputsOf(reader, source, pictures).prepare(job, runtime, heard, prompts)
    try {
      hooks.onZeroShot?.(inputs.zeroShot)
      const store = new PageStore(options.store, options.checkpointSeconds)
      const finished = await store.finished(whatDecides(job, inputs))
      const result = (record: RunRecord) => ({
        ...record,
        files: store.files,
        device: runtime.device,
        note: runtime.note,
      })
      if (finished !== undefined) return result(finished)
      const onSteps: LearnOptions['onSteps'] = async (steps, tensors) => {
        await hooks.onSteps?.(steps)
        const step = steps.length
        if (measureEvery === undefined || step % measureEvery !== 0 || inputs.test.images.labels.length === 0) return
        const classifier = await method.classifier({ clip, runtime, classNames, templates }, settings, { tensors })
        const answers = await answersOf(reader, classifier, clip, inputs.test.images, pictures).finally(() =>
          classifier.dispose(),
        )
        const { accuracy } = sharesOf(classNames, answers, inputs.test.images.labels)
        hooks.onMeasured?.({ step, accuracy, tensors })
      }
      const environment = () => environmentOf(runtime, options)
      const context = { runtime, reader, pictures, methods: [method], environment }
      return result(await learnJob(store, job, inputs, context, { ...heard, onSteps }))
    } finally {
      await inputs.dispose()
    }
  })
}

/** What a run's speed and last digits depend on, apart from its settings. */
function environmentOf({ device }: Runtime, { threads = defaultThreads() }: RuntimeOptions): RunRecord['environment'] {
  return {
    coop: VERSION,
    onnxruntime: `${ONNXRUNTIME_WEB} (web)`,
    node: navigator.userAgent,
    platform: 'browser',
    cpu: `${navigator.hardwareConcurrency} cores`,
    threads,
    device,
    date: new Date().toISOString(),
  }
}
