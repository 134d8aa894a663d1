import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLAIM, ClaimedError, claimOf, isClaimed } from '../../../node/claim.ts'
import type { Job } from '../../../trained/job.ts'
import { runsFolder } from '../../sweep-folder.ts'
import type { Control } from '../control.ts'
import { keepFailure, LackingError, lostFailure, MAX_LOST } from '../failure.ts'
import { stateOf } from '../run-state.ts'
import type { RunWorker } from '../worker.ts'
import type { Engine, RunEvents } from './engine.ts'
import { settle } from './settle.ts'

/** Milliseconds between looks at runs that others do: longer than a claim goes without a sign of its owner. */
const LOOK_MS = 2000

interface FolderOptions {
  /** Where in the list this process begins, from 0 to 1: others begin elsewhere. */
  readonly first?: number
  /** How often a run may lose the process that does it before it is set aside. */
  readonly maxLost?: number
  /** A run is left to others. */
  onLacking(job: Job, error: LackingError): Promise<void>
  /** Another process has ended a run: `done`, or `aside`. */
  onElsewhere(job: Job, state: 'done' | 'aside'): Promise<void>
}

/** How a look at a run ends. */
type Look = 'done' | 'aside' | 'busy' | 'left'

/**
 * Does the runs of a sweep's folder, alone or together with other processes that share it: whoever claims a run's folder
 * does it, and a run whose process is gone is taken over. Ends when all runs have ended, whoever did them, but for those
 * that lack something here. A run whose error.json somebody removes is tried again.
 */
export const folderEngine = (out: string, worker: RunWorker, control: Control, options: FolderOptions): Engine => ({
  async run(jobs, events, hooks) {
    const start = Math.floor((options.first ?? 0) * jobs.length)
    const look = looker(out, worker, options, events)
    const aside = new Set<Job>()
    let waiting = [...jobs.slice(start), ...jobs.slice(0, start)]
    while (waiting.length > 0) {
      const busy: Job[] = []
      // one model after the other: one fits into memory where two may not
      for (const model of new Set(waiting.map(({ model }) => model))) {
        const own = waiting.filter((job) => job.model === model)
        await each(own, worker.slots, async (job) => {
          hooks.signal?.throwIfAborted()
          await control.whileGoing(hooks.signal)
          const found = await look(job, hooks)
          if (found === 'busy') busy.push(job)
          if (found === 'aside') aside.add(job)
        })
      }
      const again: Job[] = []
      for (const job of aside) if ((await stateOf(out, job.id)) !== 'aside') again.push(job)
      for (const job of again) aside.delete(job)
      waiting = [...busy, ...again]
      if (busy.length > 0) await sleep(LOOK_MS, undefined, { signal: hooks.signal })
    }
  },
})

/** Looks at a run, and does it where nobody has or is at it. */
function looker(out: string, worker: RunWorker, options: FolderOptions, events: RunEvents) {
  const { maxLost = MAX_LOST, onElsewhere, onLacking } = options
  /** When each claim was last renewed, as the last look saw it. */
  const renewed = new Map<string, number>()
  return async (job: Job, hooks: Parameters<typeof settle>[4]): Promise<Look> => {
    const folder = join(runsFolder(out), job.id)
    const state = await stateOf(out, job.id)
    if (state === 'done' || state === 'aside') {
      await onElsewhere(job, state)
      return state
    }
    const claim = state === 'claimed' ? await claimOf(folder) : undefined
    if (claim && renewed.get(job.id) !== claim.seen) {
      renewed.set(job.id, claim.seen)
      return 'busy'
    }
    if (claim && (claim.lost ?? 0) + 1 >= maxLost) {
      if (await isClaimed(folder, claim)) return 'busy'
      const failure = lostFailure(job.id, maxLost)
      await keepFailure(folder, failure)
      await rm(join(folder, CLAIM), { force: true })
      events.onFailed(job, failure)
      return 'aside'
    }
    const left = await settle(job, out, worker, events, hooks)
    if (left instanceof ClaimedError) return 'busy'
    if (left instanceof LackingError) {
      await onLacking(job, left)
      return 'left'
    }
    return (await stateOf(out, job.id)) === 'aside' ? 'aside' : 'done'
  }
}

/**
 * Works on items, so many at a time. When one throws no more are begun, and those under way come to their end first: they
 * keep what they can go on from.
 */
async function each<T>(items: readonly T[], atATime: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items].reverse()
  const slot = async () => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
      await work(item).catch((error: unknown) => {
        queue.length = 0
        throw error
      })
    }
  }
  const slots = await Promise.allSettled(Array.from({ length: atATime }, slot))
  for (const ended of slots) if (ended.status === 'rejected') throw ended.reason
}
