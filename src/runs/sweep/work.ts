import { anObject, aText, checkArguments, someHooks } from '../../base/arguments.ts'
import type { CoopError } from '../../base/errors.ts'
import type { Hooks, Progress } from '../../base/progress.ts'
import { anySignal } from '../../base/stop.ts'
import { defaultCacheDir } from '../../node/cache-dir.ts'
import type { RuntimeOptions } from '../../runtime/types.ts'
import type { Job } from '../../trained/job.ts'
import { checkRunOptions } from '../../trained/run-options.ts'
import { openInputs } from '../inputs.ts'
import { type Control, underControl } from './control.ts'
import type { RunEvents } from './engines/engine.ts'
import { folderEngine } from './engines/folder.ts'
import { type ListHead, readList } from './list.ts'
import { statesOf } from './run-state.ts'
import type { FailedRun } from './sweep.ts'
import { withWorker } from './worker.ts'

/** Options of work. */
export interface WorkOptions extends RuntimeOptions {
  /** Begins no run after so many minutes, and stops those under way, which keep a checkpoint. */
  readonly minutes?: number
  /** Runs at a time, each with its share of the threads. */
  readonly parallel?: number
  /** Folder that contains the official data sets here; default: that of the sweep. */
  readonly root?: string
  readonly cache?: string
}

/** What a worker ends with. */
export interface WorkResult {
  /** Folder of the sweep. */
  readonly out: string
  /** Runs of the sweep's list. */
  readonly runs: number
  /** By this worker. */
  readonly finished: number
  /** Set aside by this worker. */
  readonly failed: readonly FailedRun[]
  /** Ended by other processes. */
  readonly elsewhere: number
  /** Left to other workers: why they cannot be done here. */
  readonly left: readonly FailedRun[]
  /** Not done when the time was up. */
  readonly waiting: number
  readonly seconds: number
}

/**
 * Does runs of a sweep's list together with other processes, which may be on other machines that share the folder, until
 * none is left that it can do, or its time is up.
 *
 * @throws FileError where the folder has no list of runs
 * @throws CancelledError when the sweep is cancelled
 */
export async function work(out: string, options: WorkOptions = {}, hooks: Hooks = {}): Promise<WorkResult> {
  checkArguments('work', { out, options, hooks }, { out: aText, options: anObject, hooks: someHooks })
  checkRunOptions('work', options)
  const started = performance.now()
  const { head, jobs } = await readList(out)
  const { minutes } = options
  const timeUp = minutes === undefined ? undefined : AbortSignal.timeout(60_000 * minutes)
  const timed: Hooks = { ...hooks, signal: anySignal(hooks.signal, timeUp) }
  const tally = tallyOf(jobs, hooks)
  try {
    await underControl(out, timed, (hooks, control) => doRuns(out, head, jobs, options, { hooks, control, tally }))
  } catch (error) {
    // its own: what else ends it is thrown
    if (timeUp === undefined || error !== timeUp.reason) throw error
  }
  const states = await statesOf(
    out,
    jobs.map(({ id }) => id),
  )
  const ended = new Set(jobs.flatMap(({ id }, i) => (states[i] === 'done' || states[i] === 'aside' ? [id] : [])))
  const left = tally.left.filter(({ id }) => !ended.has(id))
  const finished = tally.done.size
  return {
    out,
    runs: jobs.length,
    finished,
    failed: tally.failed,
    elsewhere: ended.size - finished - tally.failed.length,
    left,
    waiting: jobs.length - ended.size - left.length,
    seconds: (performance.now() - started) / 1000,
  }
}

async function doRuns(
  out: string,
  head: ListHead,
  jobs: readonly Job[],
  options: WorkOptions,
  { hooks, control, tally }: { readonly hooks: Hooks; readonly control: Control; readonly tally: Tally },
): Promise<void> {
  const { root, device, threads, parallel, cache = defaultCacheDir() } = options
  const { skipBadImages, exif, imageColumn, labelColumn, checkpointSeconds, command } = head
  const pictures = { cache, skipBadImages, exif }
  const inputs = openInputs({ ...pictures, imageColumn, labelColumn })
  const computing = { ...pictures, inputs, device, threads, parallel, checkpointSeconds, command }
  const here = root === undefined ? jobs : jobs.map((job) => ({ ...job, root }))
  await withWorker(head.weights, computing, hooks, (worker) =>
    folderEngine(out, worker, control, { ...tally, first: Math.random() }).run(here, tally.events, hooks),
  )
}

/** What becomes of the runs, as a worker hears of it. */
interface Tally {
  readonly done: ReadonlySet<string>
  readonly failed: readonly FailedRun[]
  readonly left: readonly FailedRun[]
  readonly events: RunEvents
  onLacking(job: Job, error: CoopError): Promise<void>
  onElsewhere(job: Job): Promise<void>
}

function tallyOf(jobs: readonly Job[], { onProgress, onWarning }: Hooks): Tally {
  const over = new Set<string>()
  const done = new Set<string>()
  const failed = new Map<string, FailedRun>()
  const left = new Map<string, FailedRun>()
  const show = ({ id }: Job, event?: Progress) => {
    const doing = event === undefined ? '' : ` (${event.kind} ${event.done}/${event.total})`
    onProgress?.({ kind: 'sweep', done: over.size, total: jobs.length, detail: `${id}${doing}` })
  }
  const note = (where: Map<string, FailedRun>, { id, title }: Job, error: string, what: string) => {
    where.set(id, { id, title, error })
    onWarning?.(`${id} ${what}: ${error}`)
  }
  return {
    done,
    get failed() {
      return [...failed.values()]
    },
    get left() {
      return [...left.values()]
    },
    events: {
      onProgress: show,
      onDone(job) {
        done.add(job.id)
        over.add(job.id)
        failed.delete(job.id)
        show(job)
      },
      onFailed(job, { message }) {
        over.add(job.id)
        note(failed, job, message, 'failed')
        show(job)
      },
    },
    async onLacking(job, { message }) {
      note(left, job, message, 'is left to others')
    },
    async onElsewhere(job) {
      over.add(job.id)
    },
  }
}
