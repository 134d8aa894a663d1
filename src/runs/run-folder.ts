import { appendFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { readSchema } from '../formats/schema.ts'
import type { Step } from '../learning/types.ts'
import { fileError, fileSource, readText, removeLeftovers, writeFileAtomic } from '../node/files.ts'
import { checkSameSettings, exists, type Rerun, readJsonObject } from '../node/run-folder.ts'
import { type RunRecord, recordSchema } from '../trained/record.ts'
import {
  checkResults,
  type Decisive,
  metricsText,
  orRemedy,
  RUN_FILES,
  type RunCheckpoint,
  type RunFile,
  resultsText,
  runCheckpoint,
  settingsText,
  unneeded,
} from '../trained/run-files.ts'
import { checkOutFolder } from './out-folder.ts'

export const runFile = (folder: string, file: RunFile): string => join(folder, RUN_FILES[file])

/**
 * Refuses, before any work, a folder that cannot be written, one with files of others, one with a run when the caller does not say what to do with
 * it, and on resume another method or other settings than the run's, as far as `known` names them.
 */
export async function checkRunFolder(folder: string, rerun: Rerun, known: Decisive = {}): Promise<void> {
  const held = await checkOutFolder(folder, ['run'], rerun)
  if (held.kind === 'run' && !rerun.resume && !rerun.force) throw alreadyARun(folder, held.method, known.method)
  if (!rerun.resume || !(await exists(runFile(folder, 'settings')))) return
  const then = await readJsonObject(runFile(folder, 'settings'))
  if (known.method !== undefined && then.method !== known.method) {
    throw new UsageError(
      `the run in ${folder} uses the method ${then.method}, not ${known.method}`,
      'choose another folder (--out), give its method (--method), or overwrite it (--force)',
    )
  }
  checkSameSettings(folder, then, known)
}

function alreadyARun(folder: string, then: string, now: unknown): UsageError {
  const message = `there is already a run in ${folder}, of the method ${then}`
  if (now !== undefined && now !== then) {
    return new UsageError(`${message}, not ${now}`, 'choose another folder (--out), or overwrite it (--force)')
  }
  return new UsageError(message, 'continue it (--resume), overwrite it (--force), or choose another folder (--out)')
}

/** Writes settings.json when a run begins; if the folder has a run with exactly the same settings, that run continues. */
export async function beginRun(folder: string, settings: Decisive): Promise<void> {
  await removeLeftovers(folder)
  const path = runFile(folder, 'settings')
  const text = settingsText(settings)
  if ((await exists(path)) && (await readText(path)) === text) return
  await clearRun(folder)
  await writeFileAtomic(path, text)
}

/** Removes all that a run has left. */
export async function clearRun(folder: string): Promise<void> {
  const files = Object.values(RUN_FILES)
  await Promise.all(files.map((file) => rm(join(folder, file), { force: true })))
}

/** The result of a finished run; undefined if it has not finished. Throws FileError if it is damaged. */
export function readRecord(folder: string): Promise<RunRecord | undefined> {
  const remedy = 'restore the file, or learn it again (--force); a sweep repeats the run by itself'
  return readResults(folder, recordSchema, remedy)
}

/**
 * The content of a run's results.json as a schema has it; undefined where it is not there. Throws FileError if one digit of
 * it is not what was written; earlier versions wrote no hash, and what they wrote is read as it is.
 * @param remedy what to do about a damaged one
 */
export async function readResults<Schema extends z.ZodType>(
  folder: string,
  schema: Schema,
  remedy: string,
): Promise<z.output<Schema> | undefined> {
  const file = runFile(folder, 'results')
  if (!(await exists(file))) return undefined
  const value = await orRemedy(readJsonObject(file), remedy)
  await checkResults(value, file, remedy)
  return readSchema(schema, value, file, remedy)
}

/** Keeps the result of a run, which has then finished. */
export async function finishRun(folder: string, record: RunRecord): Promise<void> {
  await writeFileAtomic(runFile(folder, 'results'), await resultsText(record))
  await removeUnneeded(folder, record)
}

/** Removes what a finished run does not keep; a process that was killed as it finished has left it. */
async function removeUnneeded(folder: string, record: RunRecord): Promise<void> {
  const over: RunFile[] = ['checkpoint', 'error', ...unneeded(record)]
  await Promise.all(over.map((file) => rm(runFile(folder, file), { force: true })))
}

/** The result of a run that has finished before; what it does not keep is gone afterwards. Throws as readRecord does. */
export async function finishedBefore(folder: string): Promise<RunRecord | undefined> {
  const record = await readRecord(folder)
  if (record !== undefined) await removeUnneeded(folder, record)
  return record
}

/** The checkpoint of the run in a folder, or what else of it is kept on the way. */
export function folderCheckpoint(
  folder: string,
  kept: 'checkpoint' | 'judged',
  settings: Decisive,
  every?: number,
): RunCheckpoint {
  const path = runFile(folder, kept)
  const file = {
    open: async () => ((await exists(path)) ? fileSource(path) : undefined),
    write: (content: Uint8Array) => writeFileAtomic(path, content),
  }
  return runCheckpoint(file, settings, { every, remedy: 'start the run again (--force)' })
}

/** Milliseconds between writes of metrics. */
const METRICS_MS = 100

/** Writes metrics.jsonl of a run while it learns: whole at the first call, then what is new. */
export function metricsWriter(folder: string) {
  const path = runFile(folder, 'metrics')
  let written: number | undefined
  let at = 0
  async function write(steps: readonly Step[]): Promise<void> {
    if (written === undefined) await writeFileAtomic(path, metricsText(steps), { sync: false })
    else if (steps.length > written) await append(path, metricsText(steps.slice(written)))
    written = steps.length
    at = performance.now()
  }
  return {
    onSteps: (steps: readonly Step[]) => (performance.now() - at < METRICS_MS ? undefined : write(steps)),
    end: write,
  }
}

async function append(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text)
  } catch (cause) {
    throw fileError('write', path, cause)
  }
}
