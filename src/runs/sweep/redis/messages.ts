import { z } from 'zod'
import { readSchema } from '../../../formats/schema.ts'
import { ATTEMPTS, BACK_OFF_MS, failureSchema } from '../failure.ts'
import { jobSchema } from '../list.ts'

// What travels through the queue. It is read as what it is: bytes that anybody may have put there.

const reader =
  <Schema extends z.ZodType>(schema: Schema) =>
  (data: unknown): z.output<Schema> =>
    readSchema(schema, data, 'a message of the queue', REMEDY)

/** Readers of the data of BullMQ jobs, by their names. Each throws FileError for what is no such message. */
export const readMessage = {
  /** `lost`: how often it was put behind the others, for it had lost its worker. */
  run: reader(z.strictObject({ job: jobSchema, lost: z.int().min(0).optional() })),
  /** Test pictures of a data set, from the first to before the last, whose features are computed for all its runs. */
  features: reader(z.strictObject({ job: jobSchema, word: z.string(), first: z.int().min(0), last: z.int().min(0) })),
  /** Runs that wait for features. */
  release: reader(z.strictObject({ jobs: z.array(jobSchema) })),
}

const REMEDY = 'use the same version of coop-ts for the sweep and its workers'

/** How BullMQ tries a job again. */
export const RETRIES = { attempts: ATTEMPTS, backoff: { type: 'exponential', delay: BACK_OFF_MS } } as const

/** What a worker tells of a job that it does, or has done. */
const newsSchema = z.object({
  host: z.string(),
  pid: z.int(),
  since: z.string(),
  /** How far it is. */
  event: z
    .object({ kind: z.enum(['features', 'evaluate', 'search', 'folds', 'train']), done: z.number(), total: z.number() })
    .optional(),
  /** Of a run that waits for another worker: what this one lacks. */
  lacks: z.string().optional(),
  /** Why it failed the last time. */
  failure: failureSchema.optional(),
})
export type News = z.output<typeof newsSchema>

export const newsOf = (progress: unknown): News | undefined => newsSchema.safeParse(progress).data
