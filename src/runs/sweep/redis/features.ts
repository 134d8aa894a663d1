import { givenFrom } from '../../../data/items.ts'
import { hashOf } from '../../../node/content-hash.ts'
import type { Job } from '../../../trained/job.ts'
import { needs } from '../datasets.ts'
import type { Prepared } from '../prepare.ts'
import { shardSize } from './times.ts'

/** Test pictures of a data set, from `first` to before `last`. */
interface Part {
  readonly job: Job
  readonly word: string
  readonly first: number
  readonly last: number
}

/** Runs that wait until the features of their data sets' test pictures have been computed, a part of them each job. */
export interface Release {
  readonly id: string
  readonly jobs: readonly Job[]
  readonly parts: readonly Part[]
}

/**
 * Which runs wait for features, and which need not: those of small data sets, and those whose data sets and model other
 * runs were done with.
 */
export async function releasesOf({ jobs, pending, records, inputs }: Prepared) {
  const shard = shardSize()
  const seen = new Set(jobs.flatMap((job) => (records.has(job.id) ? [sharedBy(job)] : [])))
  const groups = new Map<string, Job[]>()
  for (const job of pending) {
    const group = groups.get(sharedBy(job))
    if (group) group.push(job)
    else groups.set(sharedBy(job), [job])
  }
  const free: Job[] = []
  const releases: Release[] = []
  for (const [key, jobs] of groups) {
    const parts = seen.has(key) || jobs[0] === undefined ? [] : await partsOf(jobs[0], inputs, shard)
    if (parts.length === 0) free.push(...jobs)
    else releases.push({ id: hashOf(key).slice(0, 16), jobs, parts })
  }
  return { free, releases }
}

/** What runs have in common that need the same features. */
const sharedBy = (job: Job): string =>
  JSON.stringify([job.model, job.transforms, needs(job), job.root, job.testShare, job.paths])

async function partsOf(job: Job, inputs: Prepared['inputs'], shard: number): Promise<Part[]> {
  const parts: Part[] = []
  for (const word of new Set(needs(job))) {
    const { test } = await inputs.dataset(job, word, {})
    if (test.length <= shard || givenFrom(test) !== undefined) continue
    for (let first = 0; first < test.length; first += shard) {
      parts.push({ job, word, first, last: Math.min(test.length, first + shard) })
    }
  }
  return parts
}
