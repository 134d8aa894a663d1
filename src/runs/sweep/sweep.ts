import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { anObject, aText, checkArguments, checkOptions, someHooks, texts } from '../../base/arguments.ts'
import { UsageError } from '../../base/errors.ts'
import { largest } from '../../base/extremes.ts'
import type { Hooks, Progress } from '../../base/progress.ts'
import { shotsText } from '../../data/fewshot.ts'
import { defaultCacheDir } from '../../node/cache-dir.ts'
import { withClaim } from '../../node/claim.ts'
import { writeFileAtomic } from '../../node/files.ts'
import type { Job } from '../../trained/job.ts'
import { checkRunOptions } from '../../trained/run-options.ts'
import { checkOutFolder } from '../out-folder.ts'
import { readRecord } from '../run-folder.ts'
import { runsFolder } from '../sweep-folder.ts'
import { type Control, underControl, writeState } from './control.ts'
import type { RunEvents } from './engines/engine.ts'
import { folderEngine } from './engines/folder.ts'
import { failureOf, forgetFailures, keepFailure, readFailure } from './failure.ts'
import { timeLeft } from './jobs.ts'
import { type ListHead, newHead, readToken, writeList } from './list.ts'
import { SWEEP_OPTIONS, type SweepOptions } from './options.ts'
import { type Overview, overviewOf } from './overview.ts'
import { type Plan, readPlan } from './plan.ts'
import { type Prepared, prepareSweep } from './prepare.ts'
import { readAddress } from './redis/address.ts'
import { writeSlurmScript } from './slurm.ts'
import { withWorker } from './worker.ts'

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
  /** With `emit`: the script that was written, unless no run is left. */
  readonly script?: string
  /** With `dryRun`: what the plan would run. */
  readonly plan?: Overview
  /** With `dryRun`: data sets and models that cannot be used as they are. Other sweeps throw for them. */
  readonly missing?: readonly MissingInput[]
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
  const { command, emit, queue } = options
  const known = { command: texts.optional(), emit: anEmit.optional(), queue: aText.optional() }
  checkArguments('sweep', { command, emit, queue }, known)
  if (emit !== undefined && queue !== undefined) {
    throw new UsageError('a script of SLURM (emit) and a queue were asked for', 'choose one: --emit slurm, or --queue')
  }
  // refused before any work
  if (queue !== undefined) await readAddress(queue)
  const plan = await readPlan(planFile, options.methods)
  const out = options.out ?? join('runs', basename(planFile).replace(/\.ya?ml$/, ''))
  await checkOutFolder(out, ['sweep', 'report'], { force: options.force, own: planFile })
  const work = (hooks: Hooks) => sweepPlan(plan, out, options, hooks)
  return options.dryRun ? work(hooks) : withClaim(out, hooks, work)
}

const anEmit = z.literal('slurm', { error: "'slurm'" })

async function sweepPlan(plan: Plan, out: string, options: SweepOptions, hooks: Hooks): Promise<SweepResult> {
  const started = performance.now()
  const prepared = await prepareSweep(plan, out, options, hooks)
  const { jobs, records, faults } = prepared
  const before = records.size
  const { failed = [], script } = options.dryRun ? {} : await runAll(prepared, options, hooks)
  return {
    out,
    runs: jobs.length,
    before,
    finished: records.size - before,
    failed,
    collapsed: [...records.values()].flatMap(({ id, collapsed }) => (collapsed ? [id] : [])),
    seconds: (performance.now() - started) / 1000,
    script,
    plan: options.dryRun ? overviewOf(jobs) : undefined,
    missing: options.dryRun
      ? [...faults].map(([what, { message, remedy }]) => ({ what, error: message, remedy }))
      : undefined,
  }
}

/**
 * Has all pending runs done; their results come into `records`. Returns those that failed; or the script by which a
 * cluster does them.
 */
async function runAll(
  prepared: Prepared,
  options: SweepOptions,
  hooks: Hooks,
): Promise<Partial<Pick<SweepResult, 'failed' | 'script'>>> {
  const { plan, out, pending, records } = prepared
  const failed = new Map<string, FailedRun>()
  const eventsFor = (workers: () => number): RunEvents => {
    const show = progressOf(prepared, failed, workers, hooks)
    return {
      onProgress: show,
      onDone(job, record) {
        records.set(job.id, record)
        failed.delete(job.id)
        show(job)
      },
      onFailed(job, { message }) {
        failed.set(job.id, { id: job.id, title: job.title, error: message })
        hooks.onWarning?.(`${job.id} failed: ${message}`)
        show(job)
      },
    }
  }
  await writeState(out, 'going')
  await forgetFailures(
    out,
    pending.map(({ id }) => id),
  )
  await writeFileAtomic(join(out, 'plan.yaml'), plan.text)
  const head = await headOf(prepared, options)
  await writeList(out, { head, jobs: pending })
  if (options.emit === 'slurm') return { script: await emit(prepared, options) }
  if (options.queue !== undefined) {
    const { runByQueue } = await import('./redis/sweep.ts')
    await runByQueue(options.queue, prepared, head, eventsFor, hooks)
  } else await underControl(out, hooks, (hooks, control) => runHere(prepared, control, eventsFor, options, hooks))
  return { failed: [...failed.values()] }
}

/** Writes the script that has SLURM do the runs; none where all are done. */
async function emit({ out, pending }: Prepared, options: SweepOptions): Promise<string | undefined> {
  const { workers, threads, parallel, device = 'cpu', cache = defaultCacheDir() } = options
  if (pending.length === 0) return undefined
  const flags = ['--cache', resolve(cache), '--device', device]
  if (parallel !== undefined) flags.push('--parallel', String(parallel))
  // the environment of the tasks may be another
  const { COOP_DATA } = process.env
  if (COOP_DATA && pending.some(({ root }) => root === undefined)) flags.push('--root', resolve(COOP_DATA))
  return writeSlurmScript(out, { runs: pending.length, workers, threads, flags })
}

/** Does the runs in this process, model by model, with workers of the folder (`coop-ts worker`) where there are any. */
async function runHere(
  { out, pending, inputs, weights }: Prepared,
  control: Control,
  eventsFor: (workers: () => number) => RunEvents,
  options: SweepOptions,
  hooks: Hooks,
): Promise<void> {
  for (const [model, bytes] of weights) {
    const own = pending.filter((job) => job.model === model)
    await withWorker(bytes, { ...options, inputs }, hooks, (worker) => {
      const events = eventsFor(() => worker.slots)
      const engine = folderEngine(out, worker, control, {
        maxLost: Number.POSITIVE_INFINITY, // nobody but this process is lost, which somebody has started again
        async onLacking(job, error) {
          const failure = failureOf(error, 1)
          await keepFailure(join(runsFolder(out), job.id), failure)
          events.onFailed(job, failure)
        },
        onElsewhere: async (job) => tellEnd(out, job, events),
      })
      return engine.run(own, events, hooks)
    })
  }
}

/** Tells how a run has ended that another process did. */
async function tellEnd(out: string, job: Job, events: RunEvents): Promise<void> {
  const folder = join(runsFolder(out), job.id)
  const record = await readRecord(folder)
  if (record) events.onDone(job, record)
  else events.onFailed(job, await readFailure(folder))
}

/** What workers must know beside the jobs. */
async function headOf({ out, jobs, weights }: Prepared, options: SweepOptions): Promise<ListHead> {
  const { skipBadImages, exif, imageColumn, labelColumn, checkpointSeconds, command } = options
  const head = newHead({
    weights: largest([0, ...weights.values()]),
    runs: jobs.length,
    skipBadImages,
    exif,
    imageColumn,
    labelColumn,
    checkpointSeconds,
    command: command && [...command],
  })
  // what is in a queue already is found by it
  const token = options.queue === undefined ? undefined : await readToken(out)
  return { ...head, token: token ?? head.token }
}

/** Progress of the whole sweep, with what the run that spoke last is doing; without an event a run begins or has ended. */
function progressOf(
  { jobs, records }: Prepared,
  failed: ReadonlyMap<string, FailedRun>,
  workers: () => number,
  { onProgress }: Hooks,
) {
  const survey = () => {
    const left = jobs.filter(({ id }) => !records.has(id) && !failed.has(id))
    return { left, seconds: timeLeft(left, [...records.values()], workers()) }
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
