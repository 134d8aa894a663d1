import type { RunShots } from '../../data/fewshot.ts'
import type { Job } from '../../trained/job.ts'

/** What a plan runs, without its data: every method on every data set with every model. */
export interface Overview {
  readonly models: readonly string[]
  readonly datasets: readonly { readonly dataset: string; readonly runs: number }[]
  /** Data sets that each run is measured on as well. */
  readonly elsewhere: readonly string[]
  readonly methods: readonly PlannedRuns[]
}

/** The runs of a method with its settings on one data set with one model. */
export interface PlannedRuns {
  readonly title: string
  readonly method: string
  readonly settings: Readonly<Record<string, unknown>>
  /** 0 where a method learns from no images. */
  readonly shots: readonly RunShots[]
  readonly seeds: readonly number[]
  readonly runs: number
}

export function overviewOf(jobs: readonly Job[]): Overview {
  const unique = <T>(values: readonly T[]) => [...new Set(values)]
  const models = unique(jobs.map(({ model }) => model))
  const datasets = unique(jobs.map(({ dataset }) => dataset))
  const keyOf = ({ method, settings }: Job) => JSON.stringify([method, settings])
  const one = jobs.filter(({ model, dataset }) => model === models[0] && dataset === datasets[0])
  const methods = [...new Map(one.map((job) => [keyOf(job), job]))].map(([key, { title, method, settings }]) => {
    const runs = one.filter((job) => keyOf(job) === key)
    const [shots, seeds] = [unique(runs.map(({ shots }) => shots)), unique(runs.map(({ seed }) => seed))]
    return { title, method, settings, shots, seeds, runs: runs.length }
  })
  return {
    models,
    datasets: datasets.map((dataset) => ({ dataset, runs: jobs.filter((job) => job.dataset === dataset).length })),
    elsewhere: unique(jobs.flatMap(({ elsewhere }) => elsewhere)),
    methods,
  }
}
