import { anObject, aText, checkArguments, someHooks } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { type AnyMethod, methodNamed, readSettings } from '../methods/index.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { withClaim } from '../node/claim.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import type { Inputs } from '../trained/inputs.ts'
import type { Job } from '../trained/job.ts'
import type { RunRecord } from '../trained/record.ts'
import { checkRunOptions } from '../trained/run-options.ts'
import { changesSince } from './drawn.ts'
import type { InputOptions } from './inputs.ts'
import { openInputs } from './inputs.ts'
import { withRuntime } from './model.ts'
import { finishedBefore } from './run-folder.ts'
import { runJob } from './run-job.ts'

/** Options of runOne. */
export interface RunOneOptions extends RuntimeOptions, Partial<InputOptions> {
  /** Folder of the run. */
  readonly out: string
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** To compute on; default: a new one, closed afterwards. */
  readonly runtime?: Runtime
  /** Seconds between checkpoints (default 10). */
  readonly checkpointSeconds?: number
  /** What was typed, a word each, which results.json keeps. */
  readonly command?: readonly string[]
  /** Models, data sets and features that several jobs share; default: opened for this one. */
  readonly inputs?: Inputs
}

/**
 * Does one job of a sweep by itself, from its plain JSON: learns, measures, and keeps the run in a folder. A run that was
 * stopped there goes on; a finished one is read if its pictures are what they were.
 *
 * @throws UsageError, FileError where method, model or data set cannot be used
 * @throws ClaimedError while another process does a job there
 */
export async function runOne(job: Job, options: RunOneOptions, hooks: Hooks = {}): Promise<RunRecord> {
  checkArguments('runOne', { job, options, hooks }, { job: anObject, options: anObject, hooks: someHooks })
  const { out, methods } = options
  checkArguments('runOne', { out }, { out: aText })
  checkRunOptions('runOne', options)
  const { seed, shots, views } = job
  checkRunOptions('runOne', { seed, shots: shots === 0 ? undefined : shots, views })
  readSettings(methodNamed(job.method, methods), job.settings)
  return withClaim(out, hooks, (hooks) => runClaimed(job, options, hooks))
}

async function runClaimed(job: Job, options: RunOneOptions, hooks: Hooks): Promise<RunRecord> {
  const { out } = options
  const finished = await finishedBefore(out)
  if (finished && finished.id !== job.id)
    throw new UsageError(`${out} holds another run, ${finished.id}`, 'give the job its own folder')
  const inputs = options.inputs ?? openInputs({ ...options, cache: options.cache ?? defaultCacheDir() })
  if (finished) {
    const changes = await changesSince(out, job, inputs, hooks)
    if (changes.length === 0) return finished
    throw new UsageError(
      `the pictures of ${job.dataset} have changed since the run in ${out} finished:\n  ${changes.join('\n  ')}`,
      'give the job another folder, or remove this one',
    )
  }
  const work = async (runtime: Runtime) => {
    const prepared = await inputs.prepare(job, runtime, hooks)
    const context = { ...options, runtime, pictures: { ...options, transforms: job.transforms } }
    return runJob(out, job, prepared, context, hooks).finally(() => prepared.dispose())
  }
  return options.runtime ? work(options.runtime) : withRuntime(options, hooks, work)
}
