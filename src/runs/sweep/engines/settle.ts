import { join } from 'node:path'
import type { CoopError } from '../../../base/errors.ts'
import type { Hooks } from '../../../base/progress.ts'
import type { Job } from '../../../trained/job.ts'
import { runsFolder } from '../../sweep-folder.ts'
import { attempt, isFailure, isLeft, keepFailure } from '../failure.ts'
import type { RunWorker } from '../worker.ts'
import type { RunEvents } from './engine.ts'

/** Brings a run to its end in the sweep's folder: a result, or why it is set aside. Returns why it is left to another worker. */
export async function settle(
  job: Job,
  out: string,
  worker: RunWorker,
  events: RunEvents,
  hooks: Hooks,
): Promise<CoopError | undefined> {
  const folder = join(runsFolder(out), job.id)
  const own: Hooks = { ...hooks, onProgress: (event) => events.onProgress(job, event) }
  events.onProgress(job)
  try {
    const ended = await attempt(() => worker.do(job, folder, own), hooks)
    if (isFailure(ended)) {
      await keepFailure(folder, ended)
      events.onFailed(job, ended)
    } else events.onDone(job, ended)
    return undefined
  } catch (error) {
    if (hooks.signal?.aborted || !isLeft(error)) throw error
    return error
  }
}
