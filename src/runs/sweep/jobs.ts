import { dirname, resolve } from 'node:path'
import { aList, checkArguments, withMembers } from '../../base/arguments.ts'
import { type RunShots, shotsRank } from '../../data/fewshot.ts'
import { defaultEpochs } from '../../learning/schedule.ts'
import { type AnyMethod, methodNamed } from '../../methods/index.ts'
import { existsNow } from '../../node/files.ts'
import { BUNDLED } from '../../node/package.ts'
import { DEFAULT_VIEWS } from '../../pictures/views.ts'
import { canonicalJson } from '../../report/canonical.ts'
import { takesViews } from '../../trained/drawn.ts'
import { foldsFor, isCostly, type Job } from '../../trained/job.ts'
import { jobId } from '../job.ts'
import type { Plan } from './plan.ts'

const aPlan = withMembers('a plan, as readPlan gives it', 'models', 'datasets', 'methods', 'shots', 'seeds')

/** The runs of a plan, neighbours sharing model, data set and images. Duplicate runs count once. */
export function jobsOf(plan: Plan, methods?: readonly AnyMethod[]): Job[] {
  checkArguments('jobsOf', { plan, methods }, { plan: aPlan, methods: aList.optional() })
  const { transforms, split, elsewhere, root, calibrate } = plan
  const paths = pathsOf(plan)
  const jobs = plan.models.flatMap((model) =>
    plan.datasets.flatMap((dataset) =>
      plan.methods
        .flatMap((entry) => {
          const method = methodNamed(entry.method, methods)
          const learns = method.pictures !== 'none'
          const shotsList = learns ? (entry.shots ?? plan.shots) : ([0] as const)
          // without images to draw there is nothing that a seed would decide
          const seeds = learns ? (entry.seeds ?? plan.seeds) : plan.seeds.slice(0, 1)
          const views = takesViews(method) ? (entry.views ?? plan.views ?? DEFAULT_VIEWS) : 0
          const own = entry.perDataset?.get(dataset)
          return entry.grid.flatMap((planned, i) => {
            const settings = own?.[i] ?? planned
            return shotsList.flatMap((shots) =>
              seeds.map(
                (seed): Omit<Job, 'id'> => ({
                  dataset,
                  model,
                  method: method.name,
                  title: method.title(settings),
                  settings,
                  planned: canonicalJson(settings) === canonicalJson(planned) ? undefined : planned,
                  shots,
                  validates: method.validates?.(settings),
                  folds: foldsFor(method, calibrate),
                  calibrate: calibrate && isCostly(method) ? true : undefined,
                  seed,
                  views,
                  transforms,
                  split,
                  elsewhere,
                  paths,
                  root,
                }),
              ),
            )
          })
        })
        .sort((a, b) => shotsRank(a.shots) - shotsRank(b.shots) || a.seed - b.seed),
    ),
  )
  const named = jobs.map((job) => ({ id: jobId(job), ...job }))
  return [...new Map(named.map((job) => [job.id, job])).values()]
}

/** The data sets and models of a plan that are paths, resolved from the plan's folder. */
function pathsOf(plan: Plan): Job['paths'] {
  const words = [...plan.datasets, ...plan.elsewhere, ...plan.models.filter((model) => model !== BUNDLED)]
  const places = words.map((word) => [word, resolve(dirname(plan.file), word)] as const)
  return Object.fromEntries(places.filter(([, path]) => existsNow(path)))
}

/** A finished run, as far as it tells how long others take. */
interface Timed {
  readonly title: string
  readonly shots: RunShots
  readonly seconds: number
}

/**
 * Seconds that `left` take when `workers` run at a time, judged by finished runs: of the same method by the images the
 * paper's schedule shows it, of others as the mean. Undefined before the first has finished.
 */
export function timeLeft(left: readonly Job[], finished: readonly Timed[], workers: number): number | undefined {
  if (finished.length === 0) return undefined
  const learned = finished.filter(({ shots }) => shots !== 0)
  const paces = new Map<string, number>()
  for (const [title, runs] of byTitle(finished)) paces.set(title, paceOf(runs))
  const mean = finished.reduce((sum, { seconds }) => sum + seconds, 0) / finished.length
  const others = learned.length > 0 ? paceOf(learned) : undefined
  const each = left.map(({ title, shots }) => {
    const pace = paces.get(title) ?? others
    return pace === undefined ? mean : pace * workOf(shots)
  })
  return each.reduce((sum, seconds) => sum + seconds, 0) / Math.min(workers, left.length || 1)
}

function byTitle(runs: readonly Timed[]): Map<string, Timed[]> {
  const found = new Map<string, Timed[]>()
  for (const run of runs) {
    const alike = found.get(run.title)
    if (alike) alike.push(run)
    else found.set(run.title, [run])
  }
  return found
}

/** Seconds for a unit of work. */
function paceOf(runs: readonly Timed[]): number {
  let [seconds, work] = [0, 0]
  for (const run of runs) {
    seconds += run.seconds
    work += workOf(run.shots)
  }
  return seconds / work
}

/** How many images `all` are is not known before they are counted: taken for the most shots that are usual. */
function workOf(shots: RunShots): number {
  const count = shots === 'all' ? 16 : shots
  return Math.max(1, count * defaultEpochs(count))
}
