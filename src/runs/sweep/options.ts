import type { AnyMethod } from '../../methods/index.ts'
import type { RuntimeOptions } from '../../runtime/types.ts'
import { DATA_OPTIONS } from '../dataset.ts'
import type { InputOptions } from '../inputs.ts'

/** Options of sweep. */
export interface SweepOptions extends RuntimeOptions, Partial<Omit<InputOptions, 'precision'>> {
  /** Folder that contains the official data sets; default: what the plan says. */
  readonly root?: string
  /** Folder of the sweep; default: runs/ and the plan's name. */
  readonly out?: string
  /** Runs at a time, each with its share of the threads. */
  readonly parallel?: number
  /** Only check the plan: settings, and the models and data sets that are there; says which are not. */
  readonly dryRun?: boolean
  /** Do no runs, but write the script that has a cluster do them. */
  readonly emit?: 'slurm'
  /** Of the script: tasks, each a worker (default 4). */
  readonly workers?: number
  /** Repeat finished runs whose pictures have changed since; write into a folder that holds other files, which stay. */
  readonly force?: boolean
  /** Has the runs done by workers (`coop-ts worker --queue`): address of a Redis server, a file with one, or `env` for COOP_TS_QUEUE. */
  readonly queue?: string
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** Seconds between checkpoints of a run (default 10). */
  readonly checkpointSeconds?: number
  /** What was typed, a word each, which results.json keeps. */
  readonly command?: readonly string[]
}

export const SWEEP_OPTIONS: Readonly<Record<keyof SweepOptions, true>> = {
  out: true,
  parallel: true,
  dryRun: true,
  emit: true,
  workers: true,
  force: true,
  queue: true,
  methods: true,
  checkpointSeconds: true,
  command: true,
  ...DATA_OPTIONS,
}
