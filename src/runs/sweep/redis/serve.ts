import { rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DelayedError, type Job as Message, type Queue, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import { anObject, checkArguments, someHooks } from '../../../base/arguments.ts'
import { CoopError } from '../../../base/errors.ts'
import type { Hooks, Progress } from '../../../base/progress.ts'
import { anySignal, orStopped } from '../../../base/stop.ts'
import { defaultCacheDir } from '../../../node/cache-dir.ts'
import { ClaimedError } from '../../../node/claim.ts'
import type { RuntimeOptions } from '../../../runtime/types.ts'
import type { Job } from '../../../trained/job.ts'
import { checkRunOptions } from '../../../trained/run-options.ts'
import { openInputs } from '../../inputs.ts'
import { runsFolder } from '../../sweep-folder.ts'
import { CancelledError, readState } from '../control.ts'
import { failureOf, isFinal, LackingError, MAX_LOST } from '../failure.ts'
import { readToken } from '../list.ts'
import { type RunWorker, withWorker } from '../worker.ts'
import { readAddress } from './address.ts'
import { pack, TooLargeError } from './delivery.ts'
import { type Link, PREFIX, withLink } from './link.ts'
import { type News, newsOf, readMessage } from './messages.ts'
import { type OpenSweep, openSweeps, queueName, readSweep, writeSweep } from './registry.ts'
import { addRuns, openQueue } from './runs.ts'
import { LOOK_MS, lockTimes } from './times.ts'

/** Options of serveQueue. */
export interface ServeOptions extends RuntimeOptions {
  /** Where the queue is: an address, a file that contains one, or `env`. */
  readonly queue: string
  /** Ends when no run waits; else it waits for more. */
  readonly drain?: boolean
  /** Begins no run after so many minutes, and stops those under way, which keep a checkpoint. */
  readonly minutes?: number
  /** Runs at a time, each with its share of the threads. */
  readonly parallel?: number
  /** Folder that contains the official data sets here; default: that of the sweep. */
  readonly root?: string
  readonly cache?: string
}

/** What a worker of a queue ends with. */
export interface ServeResult {
  /** Host and port. */
  readonly queue: string
  readonly finished: number
  /** Tries that failed. */
  readonly failed: number
  /** What is lacking here for runs that were left to others. */
  readonly lacking: readonly string[]
  readonly seconds: number
}

/** Milliseconds until a run is looked at again that another process is at, or for which something is lacking: ever longer. */
const [CLAIMED_MS, LACKING_MS, LACKING_MOST] = [3000, 2000, 30_000]
/** Milliseconds between what is told of a run; and in which a stopped worker gives its runs back. */
const [NEWS_MS, CLOSE_MS] = [1000, 5000]

/** What one worker has done. */
interface Tally {
  finished: number
  failed: number
  readonly lacking: Set<string>
}

/**
 * Does runs of the sweeps in a queue, the oldest first, together with any number of other workers, until it is stopped; with
 * `drain`: until none waits.
 *
 * @throws QueueError where the queue does not answer at first
 */
export async function serveQueue(options: ServeOptions, hooks: Hooks = {}): Promise<ServeResult> {
  checkArguments('serveQueue', { options, hooks }, { options: anObject, hooks: someHooks })
  checkRunOptions('serveQueue', options)
  const started = performance.now()
  const address = await readAddress(options.queue)
  const tally: Tally = { finished: 0, failed: 0, lacking: new Set() }
  const timeUp = options.minutes === undefined ? undefined : AbortSignal.timeout(60_000 * options.minutes)
  const timed: Hooks = { ...hooks, signal: anySignal(hooks.signal, timeUp) }
  try {
    await withLink(address, timed, async (link) => {
      for (;;) {
        const sweep = await looked(nextSweep(link, options), timed)
        if (sweep !== undefined && sweep !== 'refused') await serve(link, sweep, options, tally, timed)
        else if (options.drain && sweep === undefined) return
        else await sleep(LOOK_MS, undefined, { signal: timed.signal })
      }
    })
  } catch (error) {
    hooks.signal?.throwIfAborted()
    if (!timeUp?.aborted) throw error
  }
  const { finished, failed, lacking } = tally
  const seconds = (performance.now() - started) / 1000
  return { queue: address.shown, finished, failed, lacking: [...lacking], seconds }
}

/** What a look at the queue has found; a server may refuse to answer for a while, as when it has been started again. */
async function looked<T>(look: Promise<T>, { signal }: Hooks): Promise<T | 'refused'> {
  signal?.throwIfAborted()
  return orStopped(
    look.catch((): 'refused' => 'refused'),
    signal,
  )
}

/**
 * The oldest sweep with waiting runs. Without any: one with runs under way, whose workers may be lost, unless the worker is to
 * end then.
 */
async function nextSweep({ redis }: Link, { drain }: ServeOptions): Promise<OpenSweep | undefined> {
  let other: OpenSweep | undefined
  for (const sweep of await openSweeps(redis)) {
    if (sweep.state !== 'going') continue
    const queue = openQueue(redis, sweep.head.token)
    const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = await queue.getJobCounts()
    const isDue = delayed > 0 && (await redis.zcount(queue.toKey('delayed'), '-inf', dueScore())) > 0
    await queue.close()
    if (waiting + prioritized > 0 || isDue) return sweep
    if (active + delayed > 0) other ??= sweep
  }
  return drain ? undefined : other
}

/** BullMQ sorts delayed jobs by the time when they are due, times 4096; those of the next moment count. */
const dueScore = () => (Date.now() + 1500) * 0x1000

/** Does runs of a sweep as long as it is the first that has some. */
async function serve(link: Link, sweep: OpenSweep, options: ServeOptions, tally: Tally, hooks: Hooks): Promise<void> {
  const { token, weights, skipBadImages, exif, imageColumn, labelColumn, checkpointSeconds, command } = sweep.head
  const { device, threads, parallel, cache = defaultCacheDir() } = options
  const inputs = openInputs({ cache, skipBadImages, exif, imageColumn, labelColumn })
  const computing = {
    ...{ cache, skipBadImages, exif, inputs, device, threads, parallel, checkpointSeconds },
    command: command && [...command],
  }
  const cancelled = new AbortController()
  const own: Hooks = { ...hooks, signal: anySignal(hooks.signal, cancelled.signal) }
  const isShared = (await readToken(sweep.out)) === token
  const folder = isShared ? runsFolder(sweep.out) : join(cache, 'queue', token)
  await withWorker(weights, computing, hooks, async (runs) => {
    const queue = openQueue(link.redis, token)
    const context: Context = { runs, queue, root: options.root, folder, isShared, begun: new Set(), tally, hooks: own }
    const worker = new Worker(queueName(token), (message, id) => doMessage(message, id, context), {
      connection: link.redis,
      prefix: PREFIX,
      name: `${hostname()}:${process.pid}`,
      concurrency: runs.slots,
      maxStalledCount: MAX_LOST,
      drainDelay: LOOK_MS / 1000,
      runRetryDelay: NEWS_MS,
      ...lockTimes(),
    })
    worker.on('error', () => undefined) // the link says it; what is lost is found missing by the sweep
    const removeOwn = ({ id = '' }: Message) => {
      if (isShared || !context.begun.delete(id)) return
      void rm(join(folder, id), { recursive: true, force: true }).catch(() => undefined)
    }
    worker.on('completed', removeOwn)
    worker.on('failed', (message) => {
      if (message?.finishedOn !== undefined) removeOwn(message)
    })
    try {
      for (;;) {
        await sleep(LOOK_MS / 4, undefined, { signal: hooks.signal })
        const now = await looked(readSweep(link.redis, token), hooks)
        if (now === 'refused') continue
        // nobody may wait for the sweep who could tell the queue
        const isEnded = isShared && (await readState(sweep.out)) === 'cancelled'
        if (isEnded && now?.state === 'going') {
          await looked(Promise.all([writeSweep(link.redis, { ...now, state: 'cancelled' }), queue.drain(true)]), hooks)
        }
        if (isEnded || now?.state === 'cancelled') {
          cancelled.abort(new CancelledError(`the sweep ${sweep.name} was cancelled`))
          break
        }
        const next = await looked(nextSweep(link, options), hooks)
        if (next !== 'refused' && next?.head.token !== token) break
      }
    } finally {
      // a server that does not answer cannot be told; it finds out by itself
      await Promise.race([worker.close(), ...(hooks.signal?.aborted ? [sleep(CLOSE_MS)] : [])])
      queue.close().catch(() => undefined)
      if (cancelled.signal.aborted && !isShared) await rm(folder, { recursive: true, force: true })
    }
  })
}

interface Context {
  readonly runs: RunWorker
  readonly queue: Queue
  readonly root?: string
  /** In which each run has its folder: the sweep's own, or one of this worker. */
  readonly folder: string
  readonly isShared: boolean
  /** Runs that it has begun: whatever a message is called, only their folders are this worker's. */
  readonly begun: Set<string>
  readonly tally: Tally
  readonly hooks: Hooks
}

/** Does what a message says. What it throws is BullMQ's, or why the run failed. */
async function doMessage(message: Message, token = '', context: Context): Promise<unknown> {
  const { tally, hooks } = context
  const news = newsFor(message)
  try {
    hooks.signal?.throwIfAborted()
    if (message.name === 'run') return await doRun(message, token, context, news)
    if (message.name === 'features') return await computeFeatures(message, context, news)
    if (message.name === 'release') return await addRuns(context.queue, readMessage.release(message.data).jobs)
    throw new CoopError(`a message of the queue has the unknown name ${message.name}`)
  } catch (error) {
    if (error instanceof DelayedError) throw error
    if (hooks.signal?.aborted) {
      await message.moveToWait(token)
      throw new WaitingError()
    }
    if (error instanceof ClaimedError) return delay(message, token, CLAIMED_MS)
    if (error instanceof LackingError) {
      if (!tally.lacking.has(error.message)) hooks.onWarning?.(`left to other workers: ${error.message}`)
      tally.lacking.add(error.message)
      await news.tell({ lacks: error.message })
      return delay(message, token, Math.min(LACKING_MS * 2 ** message.attemptsStarted, LACKING_MOST))
    }
    tally.failed++
    const failure = failureOf(error, message.attemptsMade + 1)
    hooks.onWarning?.(`${message.id} failed: ${failure.message}`)
    await news.tell({ failure })
    const isLast = isFinal(error) || error instanceof TooLargeError || !isReadable(message)
    throw isLast ? new UnrecoverableError(failure.message) : error
  }
}

async function delay(message: Message, token: string, ms: number): Promise<never> {
  await message.moveToDelayed(Date.now() + ms, token)
  throw new DelayedError()
}

function isReadable({ name, data }: Message): boolean {
  try {
    if (name !== 'run' && name !== 'features' && name !== 'release') return false
    readMessage[name](data)
    return true
  } catch {
    return false
  }
}

async function doRun(message: Message, token: string, context: Context, news: Telling): Promise<unknown> {
  const { runs, root, folder, isShared, begun, tally, hooks } = context
  const { job, lost = 0 } = readMessage.run(message.data)
  if (job.id !== message.id) throw new CoopError(`a message of the queue is called ${message.id}, its run ${job.id}`)
  if (message.stalledCounter > lost) {
    // it may be what its worker was lost for
    await message.updateData({ job, lost: message.stalledCounter })
    return delay(message, token, 0)
  }
  const own = join(folder, job.id)
  begun.add(job.id)
  await runs.do(withRoot(job, root), own, { ...hooks, onProgress: news.onProgress })
  tally.finished++
  hooks.onProgress?.({ kind: 'sweep', done: tally.finished, total: tally.finished, detail: job.id })
  return isShared ? {} : pack(own)
}

async function computeFeatures(message: Message, { runs, root, hooks }: Context, news: Telling): Promise<unknown> {
  const { job, word, first, last } = readMessage.features(message.data)
  await runs.encode(withRoot(job, root), word, first, last, { ...hooks, onProgress: news.onProgress })
  return {}
}

const withRoot = (job: Job, root: string | undefined): Job => (root === undefined ? job : { ...job, root })

interface Telling {
  onProgress(event: Progress): void
  tell(what: Partial<News>): Promise<void>
}

/** Tells the sweep what is done for a message, at most once a second. */
function newsFor(message: Message): Telling {
  const about = { host: hostname(), pid: process.pid, since: new Date().toISOString() }
  let told = Number.NEGATIVE_INFINITY
  const tell = (what: Partial<News>) => {
    told = Date.now()
    // what is told is no reason to fail
    return message.updateProgress({ ...about, ...what }).catch(() => undefined)
  }
  void tell({})
  return {
    tell,
    onProgress({ kind, done, total }) {
      if (Date.now() - told < NEWS_MS) return
      const news = newsOf({ ...about, event: { kind, done, total } })
      if (news) void tell(news)
    },
  }
}
