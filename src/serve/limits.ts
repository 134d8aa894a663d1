import { z } from 'zod'
import { comeBack, Refusal } from './refusal.ts'

const MIB = 2 ** 20

const whole = z.int().min(1)

/** What a server takes on at most; each has a default. */
export const limitsSchema = z
  .strictObject({
    /** Bytes of the body of a request. */
    bodyBytes: whole.default(32 * MIB),
    /** Pixels of a picture, known from its header before it is decoded. */
    pixels: whole.default(64_000_000),
    /** Pictures in a request. */
    pictures: whole.default(64),
    /** Pictures of all requests that wait for a run. */
    queue: whole.default(512),
    /** Seconds in which a request must have arrived, and then those in which it is answered. */
    seconds: z.number().positive().default(30),
  })
  .refine(({ pictures, queue }) => pictures <= queue, {
    error: 'the queue must have room for the pictures of one request',
    path: ['queue'],
  })

/** What a server takes on at most. */
export type Limits = z.output<typeof limitsSchema>

/** Bodies of so many requests of the largest size are held at the same time. */
const BODIES = 8

/** Memory for the bodies of requests. */
export interface Room {
  /** The share of one request, to be left when it is over. */
  enter(): {
    /** @throws Refusal (413) for more than a body may have, (429) where all of the room is taken */
    take(bytes: number): void
    leave(): void
  }
}

export function bodyRoom({ bodyBytes }: Pick<Limits, 'bodyBytes'>): Room {
  let held = 0
  return {
    enter() {
      let own = 0
      return {
        take(bytes) {
          own += bytes
          held += bytes
          if (own > bodyBytes) throw tooLarge(bodyBytes)
          if (held > BODIES * bodyBytes) throw comeBack(429, 'the server holds as many bytes of requests as it can')
        },
        leave() {
          held -= own
          own = 0
        },
      }
    },
  }
}

/** @throws Refusal (413) for a request that says that it is too large */
export function checkLength(contentLength: string | undefined, { bodyBytes }: Pick<Limits, 'bodyBytes'>): void {
  if (Number(contentLength) > bodyBytes) throw tooLarge(bodyBytes)
}

const tooLarge = (most: number) =>
  new Refusal(
    413,
    `the request is larger than ${most} bytes`,
    'send fewer or smaller pictures, or start the server with a larger --max-body',
  )

/** The refusal of a request that has too many of something. */
export const tooMany = (what: string, most: number): Refusal =>
  new Refusal(413, `the request has more than ${most} ${what}`, 'send them in several requests')
