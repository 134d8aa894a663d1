import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { readSchema } from '../formats/schema.ts'
import { readText, statIfThere } from '../node/files.ts'
import { listFolder } from '../node/list-folder.ts'
import { exists, readJsonObject } from '../node/run-folder.ts'
import type { FoundRecord } from '../report/merge.ts'
import type { FailedRun, SweepRuns } from '../report/sweeps.ts'
import { measuredSchema } from '../trained/record.ts'
import { orRemedy, type RunFile } from '../trained/run-files.ts'
import { readResults, runFile } from './run-folder.ts'
import { jobsOf } from './sweep/jobs.ts'
import { parsePlan } from './sweep/plan.ts'

const PLAN = 'plan.yaml'

/** Paths of the parts of a sweep. */
export const runsFolder = (sweep: string): string => join(sweep, 'runs')
const fileOf = (sweep: string, id: string, file: RunFile): string => runFile(join(runsFolder(sweep), id), file)

export interface SweepFolder extends Omit<SweepRuns, 'records'> {
  readonly folder: string
  readonly found: readonly FoundRecord[]
  /** Runs whose results were left out because they are damaged. */
  readonly damaged: readonly string[]
}

/**
 * All that a sweep has left in its folder up to now.
 * @param skip leave out damaged results with a warning, instead of refusing them
 * @throws FileError where the folder is no sweep, or a result is damaged
 */
export async function readSweepFolder(folder: string, skip: boolean, hooks: Hooks): Promise<SweepFolder> {
  await checkIsSweep(folder)
  const { folders: ids } = await listFolder(runsFolder(folder))
  const found: FoundRecord[] = []
  const failed: FailedRun[] = []
  const damaged: string[] = []
  const begun: string[] = []
  for (const id of ids) {
    try {
      const result = await readRun(folder, id)
      if (result === undefined) begun.push(id)
      else if ('record' in result) found.push(result)
      else failed.push(result)
    } catch (error) {
      if (!skip || !(error instanceof FileError)) throw error
      damaged.push(id)
      hooks.onWarning?.(`left out: ${error.message}`)
    }
  }
  const plan = (await exists(join(folder, PLAN))) ? await readText(join(folder, PLAN)) : undefined
  const unfinished = [...new Set([...begun, ...notBegun(plan, ids)])]
  return { folder, name: basename(resolve(folder)), found, failed, damaged, unfinished, plan }
}

/** Throws FileError that says what the folder is instead, as far as it can be seen. */
async function checkIsSweep(folder: string): Promise<void> {
  const remedy = 'give the folder that coop-ts sweep wrote (its --out)'
  const about = await statIfThere(folder)
  if (!about) throw new FileError(`${folder}: no such folder`, remedy)
  if (!about.isDirectory()) throw new FileError(`${folder} is a file, not a sweep folder`, remedy)
  const runs = await statIfThere(runsFolder(folder))
  if (runs?.isDirectory()) return
  const single = await exists(join(folder, 'results.json'))
  const why = single ? 'it is a single run' : 'it has no folder runs/'
  throw new FileError(`${folder} is not a sweep folder: ${why}`, remedy)
}

const failureSchema = z.object({ message: z.string(), remedy: z.string().optional() })

/** A run's result or failure; undefined where it has neither yet. */
async function readRun(sweep: string, id: string): Promise<FoundRecord | FailedRun | undefined> {
  const file = fileOf(sweep, id, 'results')
  const record = await readResults(join(runsFolder(sweep), id), measuredSchema, REMEDY)
  if (record !== undefined) {
    if (record.id !== id) throw new FileError(`${file} is the result of another run, ${record.id}`, REMEDY)
    return { record, file }
  }
  const failure = fileOf(sweep, id, 'error')
  if (!(await exists(failure))) return undefined
  const reading = readJsonObject(failure).then((value) => readSchema(failureSchema, value, failure))
  return { id, ...(await orRemedy(reading, REMEDY)) }
}

const REMEDY = 'run the sweep again, which repeats only that run, or leave out damaged results (--skip)'

/** Runs of the plan that have no folder yet; none where the plan cannot be read any more. */
function notBegun(plan: string | undefined, ids: readonly string[]): string[] {
  if (plan === undefined) return []
  try {
    return jobsOf(parsePlan(plan, PLAN)).flatMap(({ id }) => (ids.includes(id) ? [] : [id]))
  } catch {
    return []
  }
}
