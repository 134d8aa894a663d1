import { defaultEpochs } from '../../learning/schedule.ts'
import { methodNamed } from '../../methods/index.ts'
import { hashOf } from '../../node/content-hash.ts'
import { DEFAULT_VIEWS } from '../../pictures/views.ts'
import type { Plan } from './plan.ts'

/** One run of a sweep: everything that decides its numbers, but for the content of the files it names. */
export interface Job {
  /** Name of its folder: readable, and different for different jobs. */
  readonly id: string
  readonly dataset: string
  readonly model: string
  readonly method: string
  /** What tables call the method with these settings. */
  readonly title: string
  readonly settings: Readonly<Record<string, unknown>>
  /** 0 where nothing is learned from images. */
  readonly shots: number
  readonly seed: number
  readonly views: number | 'online'
  readonly transforms: Plan['transforms']
  readonly split: Plan['split']
  readonly elsewhere: readonly string[]
}

/** The runs of a plan, neighbours sharing model, data set and images. A job that stands twice is one. */
export function jobsOf(plan: Plan): Job[] {
  const jobs = plan.models.flatMap((model) =>
    plan.datasets.flatMap((dataset) =>
      plan.methods
        .flatMap((entry) => {
          const { name, pictures, title } = methodNamed(entry.method)
          const learns = pictures !== 'none'
          const shots = learns ? (entry.shots ?? plan.shots) : [0]
          // without images to draw there is nothing that a seed would decide
          const seeds = learns ? (entry.seeds ?? plan.seeds) : plan.seeds.slice(0, 1)
          const views = pictures === undefined ? (entry.views ?? plan.views ?? DEFAULT_VIEWS) : 0
          const { transforms, split, elsewhere } = plan
          return entry.grid.flatMap((settings) =>
            shots.flatMap((k) =>
              seeds.map((seed) => ({
                ...{ dataset, model, method: name, title: title(settings), settings },
                ...{ shots: k, seed, views, transforms, split, elsewhere },
              })),
            ),
          )
        })
        .sort((a, b) => a.shots - b.shots || a.seed - b.seed),
    ),
  )
  const named = jobs.map((job) => ({ id: idOf(job), ...job }))
  return [...new Map(named.map((job) => [job.id, job])).values()]
}

function idOf(job: Omit<Job, 'id'>): string {
  const words = [job.dataset, job.method, `${job.shots}-shot`, `seed-${job.seed}`]
  const readable = words
    .join('-')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
  // what tables call it decides nothing
  const { title: _, ...decides } = job
  return `${readable.replace(/^-/, '')}-${hashOf(canonical(decides)).slice(0, 10)}`
}

/** JSON whose keys are sorted: the same for equal values. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** A finished run, as far as it tells how long others take. */
interface Timed {
  readonly title: string
  readonly shots: number
  readonly seconds: number
}

/**
 * Seconds that `left` take when `workers` run at a time, judged by finished runs: of the same method by the images the
 * paper's schedule shows it, of others as the mean. Undefined before the first has finished.
 */
export function timeLeft(left: readonly Job[], finished: readonly Timed[], workers: number): number | undefined {
  const total = (runs: readonly Timed[]) => runs.reduce((sum, { seconds }) => sum + seconds, 0)
  const work = (runs: readonly Pick<Timed, 'shots'>[]) => runs.reduce((sum, { shots }) => sum + workOf(shots), 0)
  if (finished.length === 0) return undefined
  const each = left.map((job) => {
    const alike = finished.filter(({ title }) => title === job.title)
    if (alike.length > 0) return (total(alike) / work(alike)) * workOf(job.shots)
    const learned = finished.filter(({ shots }) => shots > 0)
    return learned.length > 0 ? (total(learned) / work(learned)) * workOf(job.shots) : total(finished) / finished.length
  })
  return each.reduce((sum, seconds) => sum + seconds, 0) / Math.min(workers, left.length || 1)
}

const workOf = (shots: number): number => Math.max(1, shots * defaultEpochs(shots))
