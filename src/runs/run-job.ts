import type { Hooks } from '../base/progress.ts'
import type { AnyMethod } from '../methods/index.ts'
import { writeFileAtomic } from '../node/files.ts'
import type { Runtime } from '../runtime/types.ts'
import type { JobInputs } from '../trained/inputs.ts'
import type { Job } from '../trained/job.ts'
import type { RunRecord } from '../trained/record.ts'
import { type JobStore, learnJob } from '../trained/run-job.ts'
import { environmentOf } from './environment.ts'
import { rememberedModel } from './model-word.ts'
import { type PictureOptions, pictureReader } from './pictures.ts'
import { beginRun, finishRun, folderCheckpoint, metricsWriter, runFile } from './run-folder.ts'

/** On what a job is done. */
export interface FolderContext {
  readonly runtime: Runtime
  readonly threads?: number
  readonly pictures: PictureOptions
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** Seconds between checkpoints (default 10). */
  readonly checkpointSeconds?: number
  /** What was typed, a word each, which results.json keeps. */
  readonly command?: readonly string[]
}

/** Learns, measures and keeps one run in its folder. A run that has its results.json has finished. */
export function runJob(
  folder: string,
  job: Job,
  inputs: JobInputs,
  context: FolderContext,
  hooks: Hooks,
): Promise<RunRecord> {
  const { runtime, checkpointSeconds } = context
  const store: JobStore = {
    begin: (settings) => beginRun(folder, settings),
    checkpoint: (settings) => folderCheckpoint(folder, 'checkpoint', settings, checkpointSeconds),
    judged: (settings) => folderCheckpoint(folder, 'judged', settings),
    metrics: metricsWriter(folder),
    remembered: (model, fingerprint) => rememberedModel(model, folder, fingerprint),
    learned: (file) => writeFileAtomic(runFile(folder, 'learned'), file),
    finish: (record) => finishRun(folder, record),
  }
  const reader = pictureReader(context.pictures.cache)
  const environment = () => environmentOf(runtime, context)
  return learnJob(store, job, inputs, { ...context, reader, environment }, hooks)
}
