import { readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { some } from '../../base/count.ts'
import { type CoopError, UsageError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { type AnyMethod, methodNamed } from '../../methods/index.ts'
import { promptsOfRun } from '../../methods/templates-setting.ts'
import { DEFAULT_TEMPLATES } from '../../methods/zero-shot/templates.ts'
import { defaultCacheDir } from '../../node/cache-dir.ts'
import { removeDeadClaim } from '../../node/claim.ts'
import { ifThere } from '../../node/files.ts'
import { subsetOf } from '../../trained/drawn.ts'
import type { Inputs } from '../../trained/inputs.ts'
import { countedShots, type Job } from '../../trained/job.ts'
import type { RunRecord } from '../../trained/record.ts'
import { changesSince } from '../drawn.ts'
import { openInputs } from '../inputs.ts'
import { finishedBefore, runFile } from '../run-folder.ts'
import { runsFolder } from '../sweep-folder.ts'
import { checkDatasets, faultOf, missingError, needs } from './datasets.ts'
import { jobsOf } from './jobs.ts'
import type { SweepOptions } from './options.ts'
import type { Plan } from './plan.ts'

/** A sweep whose plan, models, data sets and folder have been looked at. */
export interface Prepared {
  readonly plan: Plan
  readonly out: string
  readonly jobs: readonly Job[]
  /** Those without a result, whose models and data sets can be used. */
  readonly pending: readonly Job[]
  readonly inputs: Inputs
  /** Bytes of the weights of each model that has runs left. */
  readonly weights: ReadonlyMap<string, number>
  /** Finished runs by id. */
  readonly records: Map<string, RunRecord>
  /** Of a dry run: what cannot be used as it is, by its word in the plan. */
  readonly faults: ReadonlyMap<string, CoopError>
}

/** Looks at all that can be refused before the first run, and at what is finished. Throws for it, unless in a dry run. */
export async function prepareSweep(plan: Plan, out: string, options: SweepOptions, hooks: Hooks): Promise<Prepared> {
  const { dryRun = false, methods, cache = defaultCacheDir() } = options
  const jobs = jobsOf({ ...plan, root: options.root === undefined ? plan.root : resolve(options.root) }, methods)
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
  const weights = new Map<string, number>()
  for (const model of plan.models) {
    const own = usable.filter((job) => job.model === model)
    const left = own.find(({ id }) => !records.has(id))
    if (left === undefined) continue
    const opening = inputs.model(left, hooks)
    const fault = dryRun ? await faultOf(opening) : undefined
    if (fault) faults.set(model, fault)
    else weights.set(model, await checkModel(await opening, own, { out, records, inputs }, options, hooks))
  }
  const pending = usable.filter(({ id, model }) => weights.has(model) && !records.has(id))
  return { plan, out, jobs, pending, inputs, weights, records, faults }
}

/**
 * Looks at a model before the first run: whether its jobs fit it, and whether finished runs are of it. Returns the bytes of its
 * weights.
 */
async function checkModel(
  { clip }: Awaited<ReturnType<Inputs['model']>>,
  jobs: readonly Job[],
  { out, records, inputs }: Pick<Prepared, 'out' | 'records' | 'inputs'>,
  { methods, dryRun }: SweepOptions,
  hooks: Hooks,
): Promise<number> {
  for (const { id, model } of jobs) {
    const then = records.get(id)?.model.fingerprint
    if (then === undefined || then === clip.fingerprint) continue
    hooks.onWarning?.(`${id} was run with another model named ${model}: it is repeated`)
    if (!dryRun) await rm(runFile(join(runsFolder(out), id), 'results'))
    records.delete(id)
  }
  await checkJobs(
    jobs.filter(({ id }) => !records.has(id)),
    inputs,
    methods,
    hooks,
  )
  return [...clip.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
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
      const record = await finishedBefore(folder)
      if (record === undefined) continue
      records.set(id, record)
      await removeDeadClaim(folder)
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
