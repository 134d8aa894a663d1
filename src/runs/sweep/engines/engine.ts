import type { Hooks, Progress } from '../../../base/progress.ts'
import type { Job } from '../../../trained/job.ts'
import type { RunRecord } from '../../../trained/record.ts'
import type { RunFailure } from '../failure.ts'

/** What whoever waits for runs hears of them. */
export interface RunEvents {
  /** Without an event: it begins. `where`: who does it, if it is another process. */
  onProgress(job: Job, event?: Progress, where?: string): void
  onDone(job: Job, record: RunRecord): void
  /** It is set aside. */
  onFailed(job: Job, failure: RunFailure): void
}

/** Where the runs of a sweep are done: in this process, or by workers that take them from a queue or a folder. */
export interface Engine {
  /** Has all of these runs done; ends when each has ended, and its result or failure is in its folder. Throws when it is stopped. */
  run(jobs: readonly Job[], events: RunEvents, hooks: Hooks): Promise<void>
}
