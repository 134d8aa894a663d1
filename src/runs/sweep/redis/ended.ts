import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Job as Message, Queue } from 'bullmq'
import { CoopError, FileError } from '../../../base/errors.ts'
import type { Hooks } from '../../../base/progress.ts'
import { ClaimedError } from '../../../node/claim.ts'
import type { Job } from '../../../trained/job.ts'
import type { RunRecord } from '../../../trained/record.ts'
import { readRecord, runFile } from '../../run-folder.ts'
import { runsFolder } from '../../sweep-folder.ts'
import type { RunEvents } from '../engines/engine.ts'
import { ATTEMPTS, keepFailure, lostFailure, MAX_LOST, type RunFailure } from '../failure.ts'
import { readDelivery, writeDelivery } from './delivery.ts'
import type { Release } from './features.ts'
import type { Link } from './link.ts'
import { newsOf } from './messages.ts'
import type { OpenSweep } from './registry.ts'

/** Ended runs that are taken in at a time: their files come with them. */
const TAKEN = 20
/** Milliseconds in which a result must be seen that a worker has written into the folder: networks have memories. */
const UNSEEN_MS = 60_000

/** A sweep that waits for its runs. */
export interface Waiting {
  readonly link: Link
  readonly queue: Queue
  readonly sweep: OpenSweep
  readonly pending: Map<string, Job>
  readonly aside: Map<string, Job>
  /** Those whose runs still wait for features. */
  releases: readonly Release[]
  /** How often what was delivered of a run could not be used; and since when a result is waited for. */
  readonly damaged: Map<string, number>
  readonly unseen: Map<string, number>
  readonly events: RunEvents
  readonly hooks: Hooks
  told: string
  active: number
}

/** Takes in what workers have ended. */
export async function takeEnded(waiting: Waiting): Promise<void> {
  const { queue, hooks } = waiting
  for (let left = 0; ; ) {
    const messages = await queue.getCompleted(left, left + TAKEN - 1)
    for (const message of messages) {
      hooks.signal?.throwIfAborted()
      if (await takeDone(waiting, message)) await message.remove()
      else left++
    }
    if (messages.length < TAKEN) break
  }
  for (;;) {
    const messages = await queue.getFailed(0, TAKEN - 1)
    for (const message of messages) {
      await takeFailed(waiting, message)
      await message.remove()
    }
    if (messages.length < TAKEN) break
  }
}

/** False where it must be looked at again. */
async function takeDone(waiting: Waiting, { id = '', name, returnvalue }: Message): Promise<boolean> {
  const { pending, sweep, hooks, unseen } = waiting
  const job = pending.get(id)
  // somebody else's, or done before
  if (name !== 'run' || job === undefined) return true
  const folder = join(runsFolder(sweep.out), id)
  try {
    const delivery = await readDelivery(returnvalue, id)
    let record = await recordIn(folder, id)
    if (record === undefined && delivery.files !== undefined) {
      await writeDelivery(delivery, folder, hooks)
      record = await recordIn(folder, id)
    }
    if (record !== undefined) {
      done(waiting, job, record)
      return true
    }
    const since = unseen.get(id) ?? Date.now()
    unseen.set(id, since)
    if (Date.now() - since < UNSEEN_MS) return false
    throw new CoopError(`a worker has finished ${id}, but its result is not in ${folder}`)
  } catch (error) {
    if (error instanceof ClaimedError) return false
    if (!(error instanceof CoopError) || error.cause !== undefined) throw error
    unseen.delete(id)
    const times = (waiting.damaged.get(id) ?? 0) + 1
    waiting.damaged.set(id, times)
    hooks.onWarning?.(`${error.message}: the run is repeated`)
    if (times >= ATTEMPTS)
      await setAside(waiting, job, { message: error.message, remedy: error.remedy, attempts: times })
    return true
  }
}

/** The result in a run's folder; undefined where there is none of this run. Removes a damaged one, and throws FileError. */
export async function recordIn(folder: string, id: string): Promise<RunRecord | undefined> {
  try {
    const record = await readRecord(folder)
    return record?.id === id ? record : undefined
  } catch (error) {
    if (!(error instanceof CoopError)) throw error
    await rm(runFile(folder, 'results'), { force: true })
    throw new FileError(error.message, error.remedy)
  }
}

export function done({ pending, aside, events }: Waiting, job: Job, record: RunRecord): void {
  pending.delete(job.id)
  aside.delete(job.id)
  events.onDone(job, record)
}

async function takeFailed(waiting: Waiting, { id = '', name, failedReason, progress }: Message): Promise<void> {
  const { pending, hooks } = waiting
  const job = pending.get(id)
  if (job !== undefined && name === 'run') await setAside(waiting, job, failureIn(id, failedReason, progress))
  else if (job === undefined) hooks.onWarning?.(`set aside, a message of the queue that is no run: ${failedReason}`)
}

function failureIn(id: string, message: string, progress: unknown): RunFailure {
  const told = newsOf(progress)?.failure
  if (told?.message === message) return told
  if (!/stalled more than/.test(message)) return { message, attempts: ATTEMPTS }
  return lostFailure(id, MAX_LOST)
}

async function setAside({ sweep, pending, aside, events }: Waiting, job: Job, failure: RunFailure): Promise<void> {
  await keepFailure(join(runsFolder(sweep.out), job.id), failure)
  pending.delete(job.id)
  aside.set(job.id, job)
  events.onFailed(job, failure)
}
