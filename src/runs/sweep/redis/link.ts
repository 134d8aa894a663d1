import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { CoopError } from '../../../base/errors.ts'
import type { Hooks } from '../../../base/progress.ts'
import type { QueueAddress } from './address.ts'

/** Before the names of all that is ours in a Redis server. */
export const PREFIX = 'coop-ts'

/** Milliseconds in which a server must answer at first. */
const FIRST_MS = 5000
/** Milliseconds without an answer after which a connection is made anew: longer than BullMQ waits for a job (10 s). */
const SILENCE_MS = 20_000
/** Between tries to connect, at most. */
const AGAIN_MS = 2000
/** An interruption that is shorter is not spoken of. */
const QUIET_MS = 1000

/** A connection to a queue's server, made again for ever when it is cut. */
export interface Link {
  readonly redis: Redis
  /** Host and port. */
  readonly shown: string
  /** How often it was connected. */
  readonly connections: number
}

/** The queue cannot be reached, or is none that can be used. */
export class QueueError extends CoopError {}

/** Connects to a queue's server for some work. Throws QueueError where it does not answer within some seconds. */
export async function withLink<T>(
  { url, shown }: QueueAddress,
  hooks: Hooks,
  work: (link: Link) => Promise<T>,
): Promise<T> {
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    connectTimeout: FIRST_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: (times) => Math.min(50 * 2 ** times, AGAIN_MS),
  })
  let connections = 0
  let why = ''
  let saying: NodeJS.Timeout | undefined
  let isSaid = false
  redis.on('error', ({ message }) => {
    why = message
  })
  redis.on('ready', () => {
    connections++
    clearTimeout(saying)
    saying = undefined
    if (isSaid) hooks.onWarning?.(`the queue at ${shown} answers again`)
    isSaid = false
  })
  redis.on('close', () => {
    if (connections === 0 || saying !== undefined) return
    saying = setTimeout(() => {
      isSaid = true
      hooks.onWarning?.(`the queue at ${shown} does not answer: waiting for it`)
    }, QUIET_MS).unref()
  })
  try {
    redis.connect().catch(() => undefined)
    const end = Date.now() + FIRST_MS
    while (connections === 0) {
      if (Date.now() > end || /WRONGPASS|NOAUTH|NOPERM/.test(why)) {
        const remedy = 'start the server, or give the address of one that runs (--queue)'
        throw new QueueError(`the queue at ${shown} does not answer${why && `: ${why}`}`, remedy)
      }
      await sleep(20, undefined, { signal: hooks.signal })
    }
    return await work({
      redis,
      shown,
      get connections() {
        return connections
      },
    })
  } finally {
    clearTimeout(saying)
    redis.removeAllListeners('close')
    redis.disconnect()
  }
}
