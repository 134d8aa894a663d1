import { basename, resolve } from 'node:path'
import type { Hooks } from '../base/progress.ts'
import { anySignal } from '../base/stop.ts'
import { checkShots } from '../data/fewshot.ts'
import { type AnyMethod, methodNamed, readSettings } from '../methods/index.ts'
import { templatesSetting } from '../methods/templates-setting.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { withClaim } from '../node/claim.ts'
import { BUNDLED } from '../node/package.ts'
import { exists, type Rerun } from '../node/run-folder.ts'
import { DEFAULT_TRANSFORMS } from '../pictures/transforms.ts'
import type { Views } from '../pictures/views.ts'
import { DEFAULT_VIEWS } from '../pictures/views.ts'
import type { RunRecord } from '../report/record.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { checkTestable, checkThere, type DataOptions, shortName } from './dataset.ts'
import { openInputs, subsetOf } from './inputs.ts'
import type { Job } from './job.ts'
import { withRuntime } from './model.ts'
import type { PictureOptions } from './pictures.ts'
import { checkRunFolder, clearRun, readRecord } from './run-folder.ts'
import { decidesBefore, runJob, whatDecides } from './run-job.ts'

export interface TrainOptions extends RuntimeOptions, PictureOptions, DataOptions, Rerun {
  /** A row of METHODS by its name, or a method of one's own; default: coop. */
  readonly method?: string | AnyMethod
  /** Of the method; what is left out has its default. */
  readonly settings?: object
  /** Training images of each class; default 16. */
  readonly shots?: number
  /** Default: 1. */
  readonly seed?: number
  /** Augmented views of each training image; default 4. */
  readonly views?: Views
  /** A word for the CLIP, as --model takes it; default: the bundled one. */
  readonly model?: string
  /** Hand-written prompts to compare with; default: those of the settings, else the data set's own. */
  readonly templates?: readonly string[]
  /** Folder of the run; default: runs/ and the names of data set and method. */
  readonly out?: string
  /** Seconds between checkpoints (default 10). */
  readonly checkpointSeconds?: number
  /** Stops soon, with a checkpoint where it is learning; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal
}

/** A finished run: its results.json and its folder. */
export interface TrainResult extends RunRecord {
  readonly run: string
}

/**
 * Learns by any method from a few images of a data set (as `openDataset` takes it), measures on its test images, and
 * keeps all of it in a folder, which `openRun` opens. All that can be refused is refused before the first picture is
 * read; with `resume` a stopped run continues from its checkpoint, and a finished one is read.
 *
 * @throws UsageError when the folder has a run and neither `resume` nor `force` is set, or on resume another method or
 * other settings
 * @throws ClaimedError while another process works in the folder
 */
export async function train(data: string, options: TrainOptions = {}, given: Hooks = {}): Promise<TrainResult> {
  const {
    seed = 1,
    transforms = DEFAULT_TRANSFORMS,
    model = BUNDLED,
    cache = defaultCacheDir(),
    resume,
    force,
  } = options
  const rerun = { resume, force }
  const hooks = { ...given, signal: anySignal(given.signal, options.signal) }
  const method = typeof options.method === 'object' ? options.method : methodNamed(options.method ?? 'coop')
  const settings = readSettings(method, options.settings ?? {})
  const learns = method.pictures !== 'none'
  const shots = learns ? (options.shots ?? 16) : 0
  const words = [shortName(data), ...(method.name === 'coop' ? [] : [method.name]), ...(learns ? [shots, seed] : [])]
  const run = options.out ?? `runs/${words.join('-')}`
  const job: Job = {
    id: basename(resolve(run)),
    dataset: data,
    model,
    method: method.name,
    title: method.title(settings),
    settings,
    shots,
    seed,
    views: takesViews(method) ? (options.views ?? DEFAULT_VIEWS) : 0,
    transforms,
    split: 'all',
    elsewhere: [],
    paths: (await exists(data)) ? { [data]: resolve(data) } : {},
    root: options.root,
  }
  await checkRunFolder(run, rerun)
  const inputs = openInputs({ ...options, cache })
  const dataset = await inputs.dataset(job, data, hooks)
  checkTestable(dataset, data)
  if (learns) checkShots(dataset, shots)
  const subset = subsetOf(job, dataset)
  await checkThere(dataset, [...subset.train, ...subset.val, ...dataset.test], options)

  const { clip } = await inputs.model(job, hooks)
  await checkRunFolder(run, rerun, decidesBefore(job, clip.fingerprint, dataset))
  const { classNames, templates = DEFAULT_TEMPLATES, epochs } = dataset
  method.check?.({ clip, classNames, templates, shots, seed, epochs }, settings)
  // a method of one's own may call something else so
  const prompts = options.templates ?? templatesSetting.safeParse(settings.templates).data

  const inFolder = (hooks: Hooks) =>
    withRuntime(options, hooks, async (runtime) => {
      const prepared = await inputs.prepare(job, runtime, hooks, prompts)
      try {
        await checkRunFolder(run, rerun, whatDecides(job, prepared))
        const finished = resume ? await readRecord(run) : undefined
        if (finished) return { ...finished, run }
        if (!resume) await clearRun(run)
        const context = { ...options, runtime, pictures: { ...options, transforms }, methods: [method] }
        return { ...(await runJob(run, job, prepared, context, hooks)), run }
      } finally {
        await prepared.dispose()
      }
    })
  return withClaim(run, hooks, inFolder)
}

/** Whether a method learns from augmented views. */
export const takesViews = ({ pictures }: AnyMethod): boolean => pictures === 'views' || pictures === 'pixels'
