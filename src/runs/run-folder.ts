import { appendFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { FileError, UsageError } from '../base/errors.ts'
import { readSchema } from '../formats/schema.ts'
import { HASH, openSealed, writeSealed } from '../formats/sealed.ts'
import type { CheckpointStore, Step, Tensors } from '../learning/types.ts'
import { hashOf } from '../node/content-hash.ts'
import { fileError, fileSource, readText, removeLeftovers, writeFileAtomic } from '../node/files.ts'
import { checkSameSettings, exists, type Rerun, readJsonObject } from '../node/run-folder.ts'
import { type RunRecord, recordSchema } from '../report/record.ts'
import { readTensors } from './learned.ts'
import { checkOutFolder } from './out-folder.ts'

/** A run is a folder of plain files, each of which appears whole or not at all. */
export const RUN_FILES = {
  /** Written first: all that decides the result. */
  settings: 'settings.json',
  /** A line a step, written while it learns. */
  metrics: 'metrics.jsonl',
  /** Where a stopped run resumes; removed once the run has finished. */
  checkpoint: 'checkpoint.safetensors',
  /** What was learned, and all that is needed to use it. */
  learned: 'learned.safetensors',
  /** Written last: what it is worth. */
  results: 'results.json',
  /** Why a run of a sweep failed. */
  error: 'error.json',
} as const

export type RunFile = keyof typeof RUN_FILES

export const runFile = (folder: string, file: RunFile): string => join(folder, RUN_FILES[file])

/** All that decides a run's numbers, as settings.json has it. */
export type Decisive = Readonly<Record<string, unknown>>

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

const settingsText = (settings: Decisive) => `${JSON.stringify(settings, null, 2)}\n`

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
  const seal: unknown = Object(value.environment)[HASH]
  if (seal !== undefined && seal !== sealOf(value)) {
    throw new FileError(`${file} is damaged: its content is not what was written`, remedy)
  }
  return readSchema(schema, value, file, remedy)
}

/** Keeps the result of a run, which has then finished. */
export async function finishRun(folder: string, record: RunRecord): Promise<void> {
  const environment = { ...record.environment, [HASH]: sealOf(record) }
  await writeFileAtomic(runFile(folder, 'results'), `${JSON.stringify({ ...record, environment }, null, 2)}\n`)
  const over = ['checkpoint', 'error'] as const
  await Promise.all(over.map((file) => rm(runFile(folder, file), { force: true })))
}

/** The hash of a result. It stands in its `environment`, for equal runs differ in that and in `seconds` alone. */
function sealOf(result: Readonly<Record<string, unknown>>): string {
  const environment = { ...Object(result.environment), [HASH]: undefined }
  return hashOf(JSON.stringify({ ...result, environment }))
}

/** A damaged file of a run cannot be fetched again: this says what to do instead. */
export function orRemedy<T>(reading: Promise<T>, remedy: string): Promise<T> {
  return reading.catch((cause: unknown) => {
    throw cause instanceof FileError ? new FileError(cause.message, remedy, { cause }) : cause
  })
}

/** The checkpoint of a run, and how long it has been learning. */
export interface RunCheckpoint extends CheckpointStore {
  /** Seconds of learning up to now, those before a stop among them. */
  spent(): number
}

/**
 * The checkpoint of the run in a folder. One that was written with other settings, model or pictures is refused.
 * @param every seconds between writes
 */
export function runCheckpoint(folder: string, settings: Decisive, every?: number): RunCheckpoint {
  const path = runFile(folder, 'checkpoint')
  const of = hashOf(settingsText(settings))
  const started = performance.now()
  let before = 0
  const spent = () => before + (performance.now() - started) / 1000
  async function read(): Promise<Tensors> {
    const file = await openSealed(await fileSource(path))
    if (file.metadata.get('run') !== of) throw new FileError(`${path} is a checkpoint of another run`)
    before = Number(file.metadata.get('seconds'))
    return readTensors(file)
  }
  return {
    seconds: every,
    spent,
    read: async () => ((await exists(path)) ? orRemedy(read(), 'start the run again (--force)') : undefined),
    write: async (tensors) => writeFileAtomic(path, await writeSealed(tensors, { run: of, seconds: String(spent()) })),
  }
}

/** Milliseconds between writes of metrics. */
const METRICS_MS = 100

/** Writes metrics.jsonl of a run while it learns: whole at the first call, then what is new. */
export function metricsWriter(folder: string) {
  const path = runFile(folder, 'metrics')
  const text = (steps: readonly Step[]) => steps.map((step) => `${JSON.stringify(step)}\n`).join('')
  let written: number | undefined
  let at = 0
  async function write(steps: readonly Step[]): Promise<void> {
    if (written === undefined) await writeFileAtomic(path, text(steps), { sync: false })
    else if (steps.length > written) await append(path, text(steps.slice(written)))
    written = steps.length
    at = Date.now()
  }
  return {
    onSteps: (steps: readonly Step[]) => (Date.now() - at < METRICS_MS ? undefined : write(steps)),
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
