import { hashOf } from '../node/content-hash.ts'
import { canonicalJson } from '../report/canonical.ts'
import type { Job } from '../trained/job.ts'

/** What decides a job's numbers: not what follows from method, settings and `calibrate`, not where its files are, nor its name in tables. */
type Decides = Omit<Job, 'id' | 'title' | 'planned' | 'paths' | 'root' | 'validates' | 'folds'>

/** A name for a job's folder. */
export function jobId(job: Omit<Job, 'id'>): string {
  const words = [job.dataset, job.method, `${job.shots}-shot`, `seed-${job.seed}`]
  const readable = words
    .join('-')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
  const { dataset, model, method, settings, shots, testShare, seed, views, transforms, split, elsewhere } = job
  const { calibrate, crossValidate, sets, errorRate } = job
  const judged = { calibrate, crossValidate, sets, errorRate }
  const what = { dataset, model, method, settings, shots, testShare, ...judged }
  const decides: Decides = { ...what, seed, views, transforms, split, elsewhere }
  return `${readable.replace(/^-/, '')}-${hashOf(canonicalJson(decides)).slice(0, 10)}`
}
