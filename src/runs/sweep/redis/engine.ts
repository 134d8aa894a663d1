import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Job as Message, type Queue, QueueEvents, Worker } from 'bullmq'
import { countOf } from '../../../base/count.ts'
import { CoopError, FileError } from '../../../base/errors.ts'
import type { Hooks } from '../../../base/progress.ts'
import { orStopped } from '../../../base/stop.ts'
import { ClaimedError } from '../../../node/claim.ts'
import { writeFileAtomic } from '../../../node/files.ts'
import { exists } from '../../../node/run-folder.ts'
import type { Job } from '../../../trained/job.ts'
import type { RunRecord } from '../../../trained/record.ts'
import { readRecord, runFile } from '../../run-folder.ts'
import { runsFolder } from '../../sweep-folder.ts'
import { CancelledError, queueFile, type SweepState } from '../control.ts'
import type { Engine, RunEvents } from '../engines/engine.ts'
import { ATTEMPTS, keepFailure, lostFailure, MAX_LOST, type RunFailure } from '../failure.ts'
import { RUNNING_FILE } from '../status.ts'
import { readDelivery, writeDelivery } from './delivery.ts'
import type { Release } from './features.ts'
import { type Link, PREFIX } from './link.ts'
import { newsOf } from './messages.ts'
import { type OpenSweep, readSweep, removeSweep, writeSweep } from './registry.ts'
import { addRelease, addRuns, isOpen, missingIn, openQueue } from './runs.ts'
import { LOOK_MS, lockTimes } from './times.ts'

/** Milliseconds between looks at what is under way; and that workers have to stop what is cancelled. */
const [NEWS_MS, CANCEL_MS] = [1000, 10_000]
/** Ended runs that are taken in at a time: their files come with them. */
const TAKEN = 20
/** Other jobs that are looked at at a time. */
const PAGE = 500
/** Milliseconds in which a result must be seen that a worker has written into the folder: networks have memories. */
const UNSEEN_MS = 60_000
/** All that a job may be that is neither running nor at its end. */
const WAITING = ['waiting', 'delayed', 'prioritized'] as const

/** Has runs done by workers that look into a Redis queue; does none itself. */
export interface QueueEngine extends Engine {
  /** Runs that are under way. */
  readonly active: number
  /** Tells the workers what is wanted: to go on, or to begin no more runs. */
  obey(state: SweepState): Promise<void>
}

/** A sweep that waits for its runs. */
interface Waiting {
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

export function queueEngine(
  link: Link,
  first: OpenSweep,
  { free, releases }: { readonly free: readonly Job[]; readonly releases: readonly Release[] },
): QueueEngine {
  let sweep = first
  let active = 0
  return {
    get active() {
      return active
    },
    async obey(state) {
      sweep = { ...sweep, state }
      const queue = openQueue(link.redis, sweep.head.token)
      if (state === 'paused') await queue.pause()
      else await queue.resume()
      await writeSweep(link.redis, sweep)
    },
    async run(jobs, events, hooks) {
      const queue = openQueue(link.redis, sweep.head.token)
      const waiting: Waiting = {
        link,
        queue,
        get sweep() {
          return sweep
        },
        pending: new Map(jobs.map((job) => [job.id, job])),
        aside: new Map(),
        releases,
        damaged: new Map(),
        unseen: new Map(),
        events,
        hooks,
        told: '',
        get active() {
          return active
        },
        set active(count) {
          active = count
        },
      }
      try {
        await orStopped(waitForRuns(waiting, free), hooks.signal)
      } catch (error) {
        if (error instanceof CancelledError) await cancel(waiting)
        throw error
      }
    },
  }
}

async function waitForRuns(waiting: Waiting, free: readonly Job[]): Promise<void> {
  const { link, queue, pending } = waiting
  await patiently(waiting, () => begin(waiting, free))
  let wake = () => {}
  const ended = new QueueEvents(queue.name, { connection: link.redis, prefix: PREFIX })
  ended.on('error', () => undefined)
  ended.on('completed', () => wake())
  ended.on('failed', () => wake())
  // the workers may all be at other sweeps
  const checker = new Worker(queue.name, null, {
    ...{ connection: link.redis, prefix: PREFIX, autorun: false, maxStalledCount: MAX_LOST },
    ...lockTimes(),
  })
  checker.on('error', () => undefined)
  checker.startStalledCheckTimer().catch(() => undefined)
  try {
    let [looked, connections] = [Date.now(), link.connections]
    while (pending.size > 0) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      await patiently(waiting, async () => {
        await takeEnded(waiting)
        await tellNews(waiting)
        if (Date.now() - looked < LOOK_MS && connections === link.connections) return
        await addMissing(waiting)
        ;[looked, connections] = [Date.now(), link.connections]
      })
      if (pending.size > 0) await Promise.race([woken, sleep(NEWS_MS)])
    }
    await checker.close(true)
    await patiently(waiting, () => close(waiting))
  } finally {
    ended.close().catch(() => undefined)
    checker.close(true).catch(() => undefined)
  }
}

/** Does some work at the server until it succeeds: for a while it may refuse, as when it has been started again. */
async function patiently<T>({ link, hooks }: Waiting, work: () => Promise<T>): Promise<T> {
  for (let said = ''; ; ) {
    try {
      hooks.signal?.throwIfAborted()
      return await work()
    } catch (error) {
      hooks.signal?.throwIfAborted()
      // only what the server says passes by itself
      const isOurs = error instanceof CoopError || error instanceof TypeError
      if (isOurs || !(error instanceof Error) || 'path' in error) throw error
      if (error.message !== said) hooks.onWarning?.(`the queue at ${link.shown}: ${error.message}`)
      said = error.message
      await sleep(NEWS_MS, undefined, { signal: hooks.signal })
    }
  }
}

async function begin(waiting: Waiting, free: readonly Job[]): Promise<void> {
  const { link, queue, pending, sweep, releases } = waiting
  await writeSweep(link.redis, sweep)
  await queue.resume()
  await takeEnded(waiting)
  await removeOthers(waiting)
  const isPending = ({ id }: Job) => pending.has(id)
  await addRuns(queue, free.filter(isPending))
  for (const release of releases) {
    await addRelease(queue, link.redis, { ...release, jobs: release.jobs.filter(isPending) })
  }
}

/** Removes waiting runs that the plan no longer has. */
async function removeOthers({ queue, pending }: Waiting): Promise<void> {
  const others: Message[] = []
  for (let first = 0; ; first += PAGE) {
    const found = await queue.getJobs([...WAITING], first, first + PAGE - 1)
    others.push(...found.filter((message) => message?.name === 'run' && !pending.has(message.id ?? '')))
    if (found.length === 0) break
  }
  for (const message of others) await message.remove().catch(() => undefined)
}

/** Takes in what workers have ended. */
async function takeEnded(waiting: Waiting): Promise<void> {
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
async function recordIn(folder: string, id: string): Promise<RunRecord | undefined> {
  try {
    const record = await readRecord(folder)
    return record?.id === id ? record : undefined
  } catch (error) {
    if (!(error instanceof CoopError)) throw error
    await rm(runFile(folder, 'results'), { force: true })
    throw new FileError(error.message, error.remedy)
  }
}

function done({ pending, aside, events }: Waiting, job: Job, record: RunRecord): void {
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

/** Adds the runs that a server has lost, as one does that is started empty, and those that are to be tried again. */
async function addMissing(waiting: Waiting): Promise<void> {
  const { link, queue, sweep, pending, aside, hooks } = waiting
  if ((await readSweep(link.redis, sweep.head.token)) === undefined) {
    await writeSweep(link.redis, sweep)
    if (sweep.state === 'paused') await queue.pause()
  }
  for (const job of aside.values()) {
    if (await exists(runFile(join(runsFolder(sweep.out), job.id), 'error'))) continue
    aside.delete(job.id)
    pending.set(job.id, job)
  }
  const open: Release[] = []
  for (const release of waiting.releases) if (await isOpen(queue, release)) open.push(release)
  waiting.releases = open
  const held = new Set(open.flatMap(({ jobs }) => jobs.map(({ id }) => id)))
  const counts = Object.values(await queue.getJobCounts())
  const inQueue = counts.reduce((sum, count) => sum + count, 0)
  if (inQueue + held.size >= pending.size) return
  const ids = [...pending.keys()].filter((id) => !held.has(id))
  const lost: Job[] = []
  for (const id of await missingIn(queue, link.redis, ids)) {
    const job = pending.get(id)
    if (job === undefined) continue
    const record = await recordIn(join(runsFolder(sweep.out), id), id).catch(() => undefined)
    if (record) done(waiting, job, record)
    else lost.push(job)
  }
  if (lost.length === 0) return
  const what = lost.length === 1 ? 'a run is' : `${countOf(lost.length, 'run')} are`
  hooks.onWarning?.(`${what} not in the queue at ${link.shown} (any more): added again`)
  await addRuns(queue, lost)
}

/** Tells what the workers are at, and keeps it in the sweep's folder for others. */
async function tellNews(waiting: Waiting): Promise<void> {
  const { queue, sweep, pending, events } = waiting
  const active = await queue.getJobs(['active'])
  const lacking = (await queue.getJobs(['delayed'], 0, PAGE - 1)).filter((message) => newsOf(message?.progress)?.lacks)
  const running = [...active, ...lacking].flatMap((message) => {
    const news = newsOf(message?.progress)
    if (message?.name !== 'run' || news === undefined) return []
    const { host, pid, since, event, lacks } = news
    const doing = lacks === undefined ? event && `${event.kind} ${event.done}/${event.total}` : `waits: ${lacks}`
    const job = pending.get(message.id ?? '')
    if (job && event) events.onProgress(job, event, host)
    return [{ id: message.id, host, pid, since, doing }]
  })
  waiting.active = active.length
  const text = `${JSON.stringify(running)}\n`
  if (text === waiting.told) return
  waiting.told = text
  await writeFileAtomic(queueFile(sweep.out, RUNNING_FILE), text, { sync: false })
}

/** All runs have ended: nothing of the sweep stays in the queue. */
async function close(waiting: Waiting): Promise<void> {
  const { link, queue, sweep } = waiting
  await removeSweep(link.redis, sweep.head.token)
  // the workers look twice as often, and leave it
  await sleep(LOOK_MS / 2)
  await queue.obliterate({ force: true })
  await tellNews(waiting)
}

/** Takes the waiting runs out of the queue, and lets the workers stop the others. */
async function cancel(waiting: Waiting): Promise<void> {
  const { link, queue, sweep } = waiting
  const work = async () => {
    await writeSweep(link.redis, { ...sweep, state: 'cancelled' })
    await queue.drain(true)
    const end = Date.now() + CANCEL_MS
    while ((await queue.getActiveCount()) > 0 && Date.now() < end) await sleep(NEWS_MS / 4)
    const patient = { ...waiting, hooks: { ...waiting.hooks, signal: undefined } }
    await takeEnded(patient)
    await close(patient)
  }
  await Promise.race([work().catch(() => undefined), sleep(2 * CANCEL_MS)])
}
