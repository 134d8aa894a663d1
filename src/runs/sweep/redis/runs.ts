import { FlowProducer, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Job } from '../../../trained/job.ts'
import type { Release } from './features.ts'
import { PREFIX } from './link.ts'
import { RETRIES } from './messages.ts'
import { queueName } from './registry.ts'

/** Jobs that are sent at a time. */
const CHUNK = 500

/** The BullMQ queue of a sweep, over a connection that others use too. */
export function openQueue(redis: Redis, token: string): Queue {
  const queue = new Queue(queueName(token), { connection: redis, prefix: PREFIX, skipMetasUpdate: true })
  queue.on('error', () => undefined) // the link says it
  return queue
}

/** Adds runs; those that are in the queue already stay what they are. */
export async function addRuns(queue: Queue, jobs: readonly Job[]): Promise<void> {
  for (let first = 0; first < jobs.length; first += CHUNK) {
    const some = jobs.slice(first, first + CHUNK)
    await queue.addBulk(some.map((job) => ({ name: 'run', data: { job }, opts: { ...RETRIES, jobId: job.id } })))
  }
}

const releaseId = ({ id }: Release): string => `release-${id}`

/** Adds runs that wait for features, and the jobs that compute these; not where they are in the queue already. */
export async function addRelease(queue: Queue, redis: Redis, release: Release): Promise<void> {
  if (await isOpen(queue, release)) return
  const flows = new FlowProducer({ connection: redis, prefix: PREFIX })
  flows.on('error', () => undefined)
  const queueName = queue.name
  await flows.add({
    name: 'release',
    queueName,
    data: { jobs: release.jobs },
    opts: { ...RETRIES, jobId: releaseId(release), removeOnComplete: true },
    children: release.parts.map((data, i) => ({
      name: 'features',
      queueName,
      data,
      opts: {
        ...RETRIES,
        jobId: `features-${release.id}-${i}`,
        removeOnComplete: true,
        removeOnFail: true,
        // the runs say what is wrong with the pictures
        ignoreDependencyOnFailure: true,
      },
    })),
  })
  await flows.close()
}

/** Whether runs of a release still wait in it. */
export async function isOpen(queue: Queue, release: Release): Promise<boolean> {
  return !['completed', 'failed', 'unknown'].includes(await queue.getJobState(releaseId(release)))
}

/** Those of some ids that the queue has no job of. */
export async function missingIn(queue: Queue, redis: Redis, ids: readonly string[]): Promise<string[]> {
  const missing: string[] = []
  for (let first = 0; first < ids.length; first += CHUNK) {
    const some = ids.slice(first, first + CHUNK)
    const looks = redis.pipeline()
    for (const id of some) looks.exists(queue.toKey(id))
    const found = (await looks.exec()) ?? []
    missing.push(...some.filter((_, i) => found[i]?.[1] === 0))
  }
  return missing
}
