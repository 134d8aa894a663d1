import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Job as Message, QueueEvents, Worker } from 'bullmq'
import { countOf } from '../../../base/count.ts'
import { CoopError } from '../../../base/errors.ts'
import { orStopped } from '../../../base/stop.ts'
import { writeFileAtomic } from '../../../node/files.ts'
import { exists } from '../../../node/run-folder.ts'
import type { Job } from '../../../trained/job.ts'
import { runFile } from '../../run-folder.ts'
import { runsFolder } from '../../sweep-folder.ts'
import { CancelledError, queueFile, type SweepState } from '../control.ts'
import type { Engine } from '../engines/engine.ts'
import { MAX_LOST } from '../failure.ts'
import { RUNNING_FILE } from '../status.ts'
import { done, recordIn, takeEnded, type Waiting } from './ended.ts'
import type { Release } from './features.ts'
import { type Link, PREFIX } from './link.ts'
import { newsOf } from './messages.ts'
import { type OpenSweep, readSweep, removeSweep, writeSweep } from './registry.ts'
import { addRelease, addRuns, isOpen, missingIn, openQueue } from './runs.ts'
import { LOOK_MS, lockTimes } from './times.ts'

/** Milliseconds between looks at what is under way; and that workers have to stop what is cancelled. */
const [NEWS_MS, CANCEL_MS] = [1000, 10_000]
/** Other jobs that are looked at at a time. */
const PAGE = 500
/** All that a job may be that is neither running nor at its end. */
const WAITING = ['waiting', 'delayed', 'prioritized'] as const

/** Has runs done by workers that look into a Redis queue; does none itself. */
export interface QueueEngine extends Engine {
  /** Runs that are under way. */
  readonly active: number
  /** Tells the workers what is wanted: to go on, or to begin no more runs. */
  obey(state: SweepState): Promise<void>
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
