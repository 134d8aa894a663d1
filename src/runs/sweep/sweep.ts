import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { CoopError } from '../../base/errors.ts'
import type { Hooks, Progress } from '../../base/progress.ts'
import type { Clip } from '../../clip/types.ts'
import { readSchema } from '../../formats/schema.ts'
import { checkWritableFolder, writeFileAtomic } from '../../node/files.ts'
import { exists, readJsonObject } from '../../node/run-folder.ts'
import { type RunRecord, recordSchema } from '../../report/record.ts'
import type { Runtime, RuntimeOptions } from '../../runtime/types.ts'
import { withPool } from '../model.ts'
import type { PictureOptions } from '../pictures.ts'
import { RUN_FILES } from '../run-files.ts'
import { environmentOf } from './environment.ts'
import { openInputs, type SweepInputs } from './inputs.ts'
import { type Job, jobsOf, timeLeft } from './jobs.ts'
import { readPlan } from './plan.ts'
import { runJob } from './run-job.ts'

export interface SweepOptions extends RuntimeOptions, PictureOptions {
  readonly cache: string
  /** Folder that the official data sets lie in; default: what the plan says. */
  readonly root?: string
  /** Folder of the sweep; default: runs/ and the plan's name. */
  readonly out?: string
  /** Runs at a time, each with its share of the threads. */
  readonly parallel?: number
  /** Only check the plan: models, data sets, settings. */
  readonly dryRun: boolean
}

export interface FailedRun {
  readonly id: string
  readonly title: string
  readonly error: string
}

export interface SweepResult {
  /** Folder of the sweep. */
  readonly out: string
  /** Runs of the plan. */
  readonly runs: number
  /** Finished before this time, and not repeated. */
  readonly before: number
  readonly finished: number
  readonly failed: readonly FailedRun[]
  /** Ids of runs that ended at chance. */
  readonly collapsed: readonly string[]
  readonly seconds: number
}

/**
 * Runs all of a plan that is not finished in the folder yet. What can be refused is refused before the first run; a run
 * that fails later is kept as a failure, and the others go on.
 *
 * @throws UsageError, FileError where plan, models and data sets do not fit
 */
export async function sweep(planFile: string, options: SweepOptions, hooks: Hooks): Promise<SweepResult> {
  const started = performance.now()
  const plan = await readPlan(planFile)
  const out = options.out ?? join('runs', basename(planFile).replace(/\.ya?ml$/, ''))
  await checkWritableFolder(out)
  const jobs = jobsOf(plan)
  const inputs = await openInputs(plan, jobs, options, hooks)
  const records = await finishedRuns(out, jobs, hooks)
  const before = records.size
  const state: State = { out, jobs, records, failed: [] }

  const pending = (model: string) => jobs.filter((job) => job.model === model && !records.has(job.id))
  const models = plan.models.filter((model) => options.dryRun || pending(model).length > 0)
  // several models: all are looked at before the first run of the first
  if (models.length > 1 || options.dryRun) {
    for (const model of models) inputs.check(await inputs.load(model), pending(model))
  }
  if (!options.dryRun) {
    await writeFileAtomic(join(out, 'plan.yaml'), plan.text)
    for (const model of models) await runModel(model, inputs, state, options, hooks)
  }
  return {
    out,
    runs: jobs.length,
    before,
    finished: records.size - before,
    failed: state.failed,
    collapsed: [...records.values()].flatMap(({ id, collapsed }) => (collapsed ? [id] : [])),
    seconds: (performance.now() - started) / 1000,
  }
}

interface State {
  readonly out: string
  readonly jobs: readonly Job[]
  /** Finished runs by id. */
  readonly records: Map<string, RunRecord>
  readonly failed: FailedRun[]
}

/** The finished ones among the jobs. A damaged results.json is no result. */
async function finishedRuns(out: string, jobs: readonly Job[], hooks: Hooks): Promise<Map<string, RunRecord>> {
  const records = new Map<string, RunRecord>()
  for (const { id } of jobs) {
    const file = join(out, 'runs', id, RUN_FILES.results)
    if (!(await exists(file))) continue
    try {
      records.set(id, readSchema(recordSchema, await readJsonObject(file), file))
    } catch (error) {
      hooks.onWarning?.(`${error instanceof Error ? error.message : error}: the run is done again`)
    }
  }
  return records
}

/** Weights below which every thread gets a model and runs of its own: small programs gain little from a second thread. */
const SMALL_MODEL_BYTES = 256e6

function workersFor(clip: Clip, { parallel, threads = availableParallelism() }: SweepOptions) {
  const bytes = [...clip.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
  const workers = parallel ?? (bytes < SMALL_MODEL_BYTES ? threads : 1)
  return { workers, threads: Math.max(1, Math.floor(threads / workers)) }
}

async function runModel(
  model: string,
  inputs: SweepInputs,
  state: State,
  options: SweepOptions,
  hooks: Hooks,
): Promise<void> {
  const { out, jobs, records } = state
  const clip = await inputs.load(model)
  for (const [id, record] of records) {
    if (record.model.name !== model || record.model.fingerprint === clip.fingerprint) continue
    hooks.onWarning?.(`${id} was run on another model of the name ${model}: it is done again`)
    records.delete(id)
  }
  const queue = jobs.filter((job) => job.model === model && !records.has(job.id))
  inputs.check(clip, queue)
  const { workers, threads } = workersFor(clip, options)
  const show = progressOf(state, workers, hooks)

  const work = async (runtime: Runtime) => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const current = job
      const folder = join(out, 'runs', current.id)
      const quiet: Hooks = { ...hooks, onProgress: (event) => show(current, event) }
      show(current)
      try {
        const prepared = await inputs.prepare(current, clip, runtime, quiet)
        const environment = () => environmentOf(runtime, { threads })
        try {
          records.set(current.id, await runJob(folder, current, { ...prepared, clip, runtime, environment }, quiet))
        } finally {
          await prepared.dispose?.()
        }
      } catch (error) {
        await keepFailure(folder, current, error, state, hooks)
      }
      show(current)
    }
  }
  await withPool(workers, { ...options, threads }, hooks, (runtimes) => Promise.all(runtimes.map(work)))
}

async function keepFailure(folder: string, job: Job, error: unknown, state: State, hooks: Hooks): Promise<void> {
  const message = error instanceof Error ? error.message : String(error)
  const remedy = error instanceof CoopError ? error.remedy : undefined
  const stack = error instanceof Error && !(error instanceof CoopError) ? error.stack : undefined
  await rm(join(folder, RUN_FILES.checkpoint), { force: true })
  await writeFileAtomic(join(folder, RUN_FILES.error), `${JSON.stringify({ message, remedy, stack }, null, 2)}\n`)
  state.failed.push({ id: job.id, title: job.title, error: message })
  hooks.onWarning?.(`${job.id} failed: ${message}`)
}

/** Progress of the whole sweep, with what the run that spoke last is doing; without an event a run begins or has ended. */
function progressOf({ jobs, records, failed }: State, workers: number, { onProgress }: Hooks) {
  const survey = () => {
    const failures = new Set(failed.map(({ id }) => id))
    const left = jobs.filter(({ id }) => !records.has(id) && !failures.has(id))
    return { left, seconds: timeLeft(left, [...records.values()], workers) }
  }
  // a look at all runs is too much for every step of one
  let { left, seconds } = survey()
  return (job: Job, event?: Progress) => {
    if (event === undefined) ({ left, seconds } = survey())
    const where = `${job.dataset}, ${job.title}${job.shots > 0 ? `, ${job.shots} shots, seed ${job.seed}` : ''}`
    const doing = event === undefined ? '' : ` (${event.kind} ${event.done}/${event.total})`
    onProgress?.({
      kind: 'sweep',
      done: jobs.length - left.length,
      total: jobs.length,
      detail: where + doing,
      ...(seconds !== undefined && { secondsLeft: seconds }),
    })
  }
}
