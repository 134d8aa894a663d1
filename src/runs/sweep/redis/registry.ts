import type { Redis } from 'ioredis'
import { z } from 'zod'
import { SWEEP_STATES } from '../control.ts'
import { headSchema } from '../list.ts'
import { PREFIX } from './link.ts'

const KEY = `${PREFIX}:sweeps`

const sweepSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  /** Its folder where it was started: absolute. */
  out: z.string(),
  /** When, in milliseconds: the oldest is served first. */
  added: z.number(),
  state: z.enum(SWEEP_STATES),
  head: headSchema,
})

/** A sweep whose runs are in the queue, as its workers see it. */
export type OpenSweep = z.output<typeof sweepSchema>

/** The BullMQ queue of a sweep. */
export const queueName = (token: string): string => `sweep-${token}`

export const writeSweep = (redis: Redis, sweep: OpenSweep): Promise<unknown> =>
  redis.hset(KEY, sweep.head.token, JSON.stringify(sweep))

export const removeSweep = (redis: Redis, token: string): Promise<unknown> => redis.hdel(KEY, token)

export async function readSweep(redis: Redis, token: string): Promise<OpenSweep | undefined> {
  return parse((await redis.hget(KEY, token)) ?? '')
}

/** Sweeps that have runs in the queue, the oldest first; what is not a sweep is passed over. */
export async function openSweeps(redis: Redis): Promise<OpenSweep[]> {
  const all = Object.entries(await redis.hgetall(KEY))
  const sweeps = all.flatMap(([token, text]) => {
    const sweep = parse(text)
    return sweep?.head.token === token ? [sweep] : []
  })
  return sweeps.sort((a, b) => a.added - b.added || (a.head.token < b.head.token ? -1 : 1))
}

function parse(text: string): OpenSweep | undefined {
  try {
    return sweepSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
