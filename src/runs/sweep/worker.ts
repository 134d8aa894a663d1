import { availableParallelism } from 'node:os'
import type { Hooks } from '../../base/progress.ts'
import type { AnyMethod } from '../../methods/index.ts'
import type { Runtime, RuntimeOptions } from '../../runtime/types.ts'
import type { Inputs } from '../../trained/inputs.ts'
import type { Job } from '../../trained/job.ts'
import type { RunRecord } from '../../trained/record.ts'
import { withPool } from '../model.ts'
import { encodeSets, type PictureOptions } from '../pictures.ts'
import { runOne } from '../run-one.ts'
import { faultOf, needs } from './datasets.ts'
import { LackingError } from './failure.ts'

/** What a worker computes with. */
export interface WorkerOptions extends RuntimeOptions, PictureOptions {
  readonly inputs: Inputs
  /** Runs at a time, each with its share of the threads. */
  readonly parallel?: number
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** Seconds between checkpoints of a run (default 10). */
  readonly checkpointSeconds?: number
  /** What was typed, a word each, which results.json keeps. */
  readonly command?: readonly string[]
}

/** Does runs, as many at a time as it has slots. */
export interface RunWorker {
  readonly slots: number
  /**
   * Does a run in its folder, where a stopped one goes on and a finished one is read.
   * @throws LackingError where its model or data sets cannot be used here
   * @throws ClaimedError while another process does it
   */
  do(job: Job, folder: string, hooks: Hooks): Promise<RunRecord>
  /**
   * Computes the features of some of a data set's test pictures, which the cache then has.
   * @param word the data set, one of the job's
   * @throws LackingError
   */
  encode(job: Job, word: string, first: number, last: number, hooks: Hooks): Promise<void>
}

/** Size of weights below which every thread gets its own model and runs: small programs gain little from a second thread. */
const SMALL_MODEL_BYTES = 256e6
/** Memory of a run beside the weights, which it holds three times at most. */
const [COPIES, ROOM] = [3, 400e6]

/** How many runs of models up to `weights` bytes are done at a time, as far as threads and memory go. */
export function slotsFor(
  weights: number,
  { parallel, threads = availableParallelism() }: Pick<WorkerOptions, 'parallel' | 'threads'>,
  memory = process.availableMemory(),
) {
  const fitting = Math.max(1, Math.floor(memory / (COPIES * weights + ROOM)))
  const slots = parallel ?? (weights < SMALL_MODEL_BYTES ? Math.min(threads, fitting) : 1)
  return { slots, threads: Math.max(1, Math.floor(threads / slots)) }
}

/** A worker for runs of models up to `weights` bytes, closed afterwards. */
export async function withWorker<T>(
  weights: number,
  options: WorkerOptions,
  hooks: Hooks,
  work: (worker: RunWorker) => Promise<T>,
): Promise<T> {
  const { slots, threads } = slotsFor(weights, options)
  return withPool(slots, { ...options, threads }, hooks, (runtimes) => {
    const idle = [...runtimes]
    const { inputs } = options
    const here = async <T>(job: Job, hooks: Hooks, work: (runtime: Runtime) => Promise<T>): Promise<T> => {
      const runtime = idle.pop()
      if (runtime === undefined) throw new Error('a worker was given more runs than it has slots')
      try {
        await checkHere(job, inputs, hooks)
        return await work(runtime)
      } finally {
        idle.push(runtime)
      }
    }
    return work({
      slots,
      do: (job, folder, hooks) =>
        here(job, hooks, (runtime) => runOne(job, { ...options, out: folder, runtime, threads }, hooks)),
      encode: (job, word, first, last, hooks) =>
        here(job, hooks, async (runtime) => {
          const { clip } = await inputs.model(job, hooks)
          const { test } = await inputs.dataset(job, word, hooks)
          const pictures = { ...options, transforms: job.transforms }
          await encodeSets(clip, runtime, [{ items: test.slice(first, last) }], pictures, hooks)
        }),
    })
  })
}

async function checkHere(job: Job, inputs: Inputs, hooks: Hooks): Promise<void> {
  const opened = [inputs.model(job, hooks), ...needs(job).map((word) => inputs.dataset(job, word, hooks))]
  for (const opening of opened) {
    const fault = await faultOf(opening)
    if (fault !== undefined) throw new LackingError(fault.message, fault.remedy, { cause: fault })
  }
}
