import { readdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { anObject, aText, checkArguments, checkOptions, someHooks } from '../../base/arguments.ts'
import { some } from '../../base/count.ts'
import { CoopError, UsageError } from '../../base/errors.ts'
import type { Hooks, Progress } from '../../base/progress.ts'
import type { Clip } from '../../clip/types.ts'
import { shotsText } from '../../data/fewshot.ts'
import { type AnyMethod, methodNamed } from '../../methods/index.ts'
import { promptsOfRun } from '../../methods/templates-setting.ts'
import { DEFAULT_TEMPLATES } from '../../methods/zero-shot/templates.ts'
import { defaultCacheDir } from '../../node/cache-dir.ts'
import { ClaimedError, withClaim } from '../../node/claim.ts'
import { ifThere, writeFileAtomic } from '../../node/files.ts'
import type { Runtime, RuntimeOptions } from '../../runtime/types.ts'
import { subsetOf } from '../../trained/drawn.ts'
import type { Inputs } from '../../trained/inputs.ts'
import { countedShots, type Job } from '../../trained/job.ts'
import type { RunRecord } from '../../trained/record.ts'
import { checkRunOptions } from '../../trained/run-options.ts'
import { changesSince } from '../drawn.ts'
import { type InputOptions, openInputs } from '../inputs.ts'
import { withPool } from '../model.ts'
import { checkOutFolder } from '../out-folder.ts'
import { readRecord, runFile } from '../run-folder.ts'
import { runOne } from '../run-one.ts'
import { runsFolder } from '../sweep-folder.ts'
import { checkDatasets, faultOf, missingError, needs } from './datasets.ts'
import { jobsOf, timeLeft } from './jobs.ts'
import { type Overview, overviewOf } from './overview.ts'
import { type Plan, readPlan } from './plan.ts'

/** Options of sweep. */
export interface SweepOptions extends RuntimeOptions, Partial<InputOptions> {
  /** Folder that contains the official data sets; default: what the plan says. */
  readonly root?: string
  /** Folder of the sweep; default: runs/ and the plan's name. */
  readonly out?: string
  /** Runs at a time, each with its share of the threads. */
  readonly parallel?: number
  /** Only check the plan: settings, and the models and data sets that are there; says which are not. */
  readonly dryRun?: boolean
  /** Repeat finished runs whose pictures have changed since; write into a folder that holds other files, which stay. */
  readonly force?: boolean
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** Seconds between checkpoints of a run (default 10). */
  readonly checkpointSeconds?: number
}

export interface FailedRun {
  readonly id: string
  readonly title: string
  readonly error: string
}

/** A data set or model of the plan that cannot be used. */
export interface MissingInput {
  /** Its word in the plan. */
  readonly what: string
  readonly error: string
  readonly remedy: string | undefined
}

/** What a sweep ends with. */
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
  /** Of this call. */
  readonly seconds: number
  /** With `dryRun`: what the plan would run. */
  readonly plan?: Overview
  /** With `dryRun`: data sets and models that cannot be used as they are. Other sweeps throw for them. */
  readonly missing?: readonly MissingInput[]
}

const SWEEP_OPTIONS: Readonly<Record<keyof SweepOptions, true>> = {
  root: true,
  out: true,
  parallel: true,
  dryRun: true,
  force: true,
  methods: true,
  checkpointSeconds: true,
  imageColumn: true,
  labelColumn: true,
  device: true,
  threads: true,
  cache: true,
  skipBadImages: true,
  transforms: true,
  exif: true,
}

/**
 * Runs all of a plan that is not finished in the folder yet. What can be refused is refused before the first run; a run
 * that fails later is kept as a failure, and the others go on.
 *
 * @throws UsageError, FileError where plan, models and data sets do not fit
 * @throws ClaimedError while another sweep works in the folder
 */
export async function sweep(planFile: string, options: SweepOptions = {}, hooks: Hooks = {}): Promise<SweepResult> {
  checkOptions('sweep', options, Object.keys(SWEEP_OPTIONS))
  return sweepAsGiven(planFile, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function sweepAsGiven(
  planFile: string,
  options: SweepOptions = {},
  hooks: Hooks = {},
): Promise<SweepResult> {
  checkArguments('sweep', { planFile, options, hooks }, { planFile: aText, options: anObject, hooks: someHooks })
  checkRunOptions('sweep', options)
  const plan = await readPlan(planFile, options.methods)
  const out = options.out ?? join('runs', basename(planFile).replace(/\.ya?ml$/, ''))
  await checkOutFolder(out, ['sweep', 'report'], { force: options.force, own: planFile })
  const work = (hooks: Hooks) => sweepPlan(plan, out, options, hooks)
  return options.dryRun ? work(hooks) : withClaim(out, hooks, work)
}

async function sweepPlan(plan: Plan, out: string, options: SweepOptions, hooks: Hooks): Promise<SweepResult> {
  const started = performance.now()
  const { dryRun = false, methods, cache = defaultCacheDir() } = options
  const jobs = jobsOf({ ...plan, root: options.root ?? plan.root }, methods)
  const inputs = openInputs({ ...options, cache })
  const faults = await checkDatasets(jobs, inputs, options, hooks)
  if (faults.size > 0 && !dryRun) throw missingError(faults)
  const usable = jobs.filter((job) => !needs(job).some((word) => faults.has(word)))
  const records = await finishedRuns(out, jobs, hooks)
  await warnOfOthers(out, jobs, hooks)
  for (const id of await changedRuns(out, usable, records, inputs, options, hooks)) {
    if (!dryRun) await rm(runFile(join(runsFolder(out), id), 'results'))
    records.delete(id)
  }
  const before = records.size
  const state: State = { out, jobs, inputs, records, failed: [] }

  const pending = (model: string) => usable.filter((job) => job.model === model && !records.has(job.id))
  const models = plan.models.filter((model) => dryRun || pending(model).length > 0)
  // several models: all are looked at before the first run of the first
  if (models.length > 1 || dryRun) {
    for (const model of models) {
      const [first] = pending(model)
      const fault = first && dryRun ? await faultOf(inputs.model(first, hooks)) : undefined
      if (fault === undefined) await checkJobs(pending(model), inputs, methods, hooks)
      else faults.set(model, fault)
    }
  }
  if (!dryRun) {
    await writeFileAtomic(join(out, 'plan.yaml'), plan.text)
    for (const model of models) await runModel(model, state, options, hooks)
  }
  return {
    out,
    runs: jobs.length,
    before,
    finished: records.size - before,
    failed: state.failed,
    collapsed: [...records.values()].flatMap(({ id, collapsed }) => (collapsed ? [id] : [])),
    seconds: (performance.now() - started) / 1000,
    plan: dryRun ? overviewOf(jobs) : undefined,
    missing: dryRun ? [...faults].map(([what, { message, remedy }]) => ({ what, error: message, remedy })) : undefined,
  }
}

interface State {
  readonly out: string
  readonly jobs: readonly Job[]
  readonly inputs: Inputs
  /** Finished runs by id. */
  readonly records: Map<string, RunRecord>
  readonly failed: FailedRun[]
}

/** Throws where settings, class names and model of any of the jobs, which are of one model, do not fit. */
async function checkJobs(
  jobs: readonly Job[],
  inputs: Inputs,
  methods: readonly AnyMethod[] | undefined,
  hooks: Hooks,
): Promise<void> {
  const different = new Map(
    jobs.map((job) => [JSON.stringify([job.dataset, job.method, job.settings, job.shots]), job]),
  )
  for (const job of different.values()) {
    const { clip } = await inputs.model(job, hooks)
    const { seed, settings } = job
    const whole = await inputs.dataset(job, job.dataset, hooks)
    promptsOfRun(whole.classNames, undefined, settings)
    const dataset = subsetOf(job, whole)
    const labels = dataset.train.map(({ label }) => label)
    const shots = countedShots(job, labels)
    const { classNames, templates = DEFAULT_TEMPLATES, epochs } = dataset
    methodNamed(job.method, methods).check?.({ clip, classNames, templates, shots, seed, epochs }, settings)
  }
}

/** The finished ones among the jobs. A damaged results.json is no result. */
async function finishedRuns(out: string, jobs: readonly Job[], hooks: Hooks): Promise<Map<string, RunRecord>> {
  const records = new Map<string, RunRecord>()
  for (const { id } of jobs) {
    const folder = join(runsFolder(out), id)
    try {
      const record = await readRecord(folder)
      if (record) records.set(id, record)
    } catch (error) {
      hooks.onWarning?.(`${error instanceof Error ? error.message : error}: the run is repeated`)
      await rm(runFile(folder, 'results'))
    }
  }
  return records
}

/**
 * The finished runs whose classes or pictures are no longer what they learned from and were measured on.
 * @throws UsageError that says what has changed, unless they are to be repeated (`force`)
 */
async function changedRuns(
  out: string,
  jobs: readonly Job[],
  records: ReadonlyMap<string, RunRecord>,
  inputs: Inputs,
  { force = false }: SweepOptions,
  hooks: Hooks,
): Promise<string[]> {
  const changed: string[] = []
  const lines = new Map<string, number>()
  for (const job of jobs.filter(({ id }) => records.has(id))) {
    const changes = await changesSince(join(runsFolder(out), job.id), job, inputs, hooks)
    if (changes.length > 0) changed.push(job.id)
    for (const change of changes) {
      const line = `${job.dataset}, ${change}`
      lines.set(line, (lines.get(line) ?? 0) + 1)
    }
  }
  if (changed.length === 0) return []
  const runs = changed.length === 1 ? 'a run' : `${changed.length} runs`
  const found = Array.from(lines, ([line, count]) => `  ${line} (${count === 1 ? '1 run' : `${count} runs`})`)
  const what = `${out} has ${runs} of pictures that have changed since:\n${found.join('\n')}`
  if (!force) throw new UsageError(what, 'repeat these runs (--force), or give another folder (--out)')
  hooks.onWarning?.(`${what}\nthey are repeated`)
  return changed
}

/** Says that a folder has runs which are not of this plan. */
async function warnOfOthers(out: string, jobs: readonly Job[], { onWarning }: Hooks): Promise<void> {
  const own = new Set(jobs.map(({ id }) => id))
  const folders = (await ifThere(runsFolder(out), readdir(runsFolder(out)))) ?? []
  const others = folders.filter((id) => !own.has(id) && !id.startsWith('.')).sort()
  if (others.length === 0) return
  onWarning?.(
    `${out} also holds ${others.length === 1 ? 'a run' : `${others.length} runs`} of another plan, which coop-ts report shows together with those of this one: ${some(others)}`,
  )
}

/** Size of weights below which every thread gets its own model and runs: small programs gain little from a second thread. */
const SMALL_MODEL_BYTES = 256e6

function workersFor(clip: Clip, { parallel, threads = availableParallelism() }: SweepOptions) {
  const bytes = [...clip.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
  const workers = parallel ?? (bytes < SMALL_MODEL_BYTES ? threads : 1)
  return { workers, threads: Math.max(1, Math.floor(threads / workers)) }
}

async function runModel(model: string, state: State, options: SweepOptions, hooks: Hooks): Promise<void> {
  const { out, jobs, inputs, records } = state
  const [first] = jobs.filter((job) => job.model === model)
  if (first === undefined) return
  const { clip } = await inputs.model(first, hooks)
  for (const [id, record] of records) {
    if (record.model.name !== model || record.model.fingerprint === clip.fingerprint) continue
    hooks.onWarning?.(`${id} was run with another model named ${model}: it is repeated`)
    await rm(runFile(join(runsFolder(out), id), 'results'))
    records.delete(id)
  }
  const queue = jobs.filter((job) => job.model === model && !records.has(job.id))
  await checkJobs(queue, inputs, options.methods, hooks)
  const { workers, threads } = workersFor(clip, options)
  const show = progressOf(state, workers, hooks)

  const work = async (runtime: Runtime) => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const current = job
      const folder = join(runsFolder(out), current.id)
      const quiet: Hooks = { ...hooks, onProgress: (event) => show(current, event) }
      show(current)
      try {
        records.set(current.id, await runOne(current, { ...options, out: folder, inputs, runtime, threads }, quiet))
      } catch (error) {
        hooks.signal?.throwIfAborted()
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
  if (!(error instanceof ClaimedError)) {
    await rm(runFile(folder, 'checkpoint'), { force: true })
    await writeFileAtomic(runFile(folder, 'error'), `${JSON.stringify({ message, remedy, stack }, null, 2)}\n`)
  }
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
    const where = `${job.dataset}, ${job.title}${job.shots !== 0 ? `, ${shotsText(job.shots)}, seed ${job.seed}` : ''}`
    const doing = event === undefined ? '' : ` (${event.kind} ${event.done}/${event.total})`
    onProgress?.({
      kind: 'sweep',
      done: jobs.length - left.length,
      total: jobs.length,
      detail: where + doing,
      secondsLeft: seconds,
    })
  }
}
