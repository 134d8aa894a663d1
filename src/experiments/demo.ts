import { availableParallelism } from 'node:os'
import { loadClip } from '../clip/load.ts'
import type { Clip } from '../clip/types.ts'
import { runDemo } from '../demo/run.ts'
import { demoTasks, type Task } from '../demo/tasks.ts'
import { UsageError } from '../errors.ts'
import { folderModelFiles } from '../node/files.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Hooks } from '../progress.ts'
import type { DemoResult } from '../report/types.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'

export interface DemoChoice extends RuntimeOptions {
  readonly model: string
  /** Fewer tasks and one seed. */
  readonly quick: boolean
  /** By name; all when left out. */
  readonly tasks?: readonly string[]
  readonly shots?: readonly number[]
  readonly seeds?: readonly number[]
}

const ALL = { shots: [1, 2, 4, 8, 16], seeds: [1, 2, 3] }
const QUICK = { shots: [1, 2, 4, 8, 16], seeds: [1], tasks: ['sports', 'gestures', 'fantasy', 'style'] }

/** The demo from packages of drawings to its result. Throws UsageError for a task that there is not. */
export async function demo(choice: DemoChoice, hooks: Hooks): Promise<DemoResult> {
  const started = performance.now()
  const { quick, model } = choice
  const { shots = (quick ? QUICK : ALL).shots, seeds = (quick ? QUICK : ALL).seeds } = choice
  const tasks = chosen(await demoTasks(), choice.tasks ?? (quick ? QUICK.tasks : undefined))
  const result = await withTaskRuntimes(choice, tasks.length, hooks, (clip, runtimes) =>
    runDemo(clip, runtimes, { tasks, shots, seeds }, hooks),
  )
  const settings = { seeds, shots, model, command: commandOf(choice) }
  return { ...result, settings, seconds: (performance.now() - started) / 1000 }
}

/** A runtime of one thread for each task that runs at the same time. */
async function withTaskRuntimes<T>(
  { model, device, threads = availableParallelism() }: DemoChoice,
  tasks: number,
  hooks: Hooks,
  work: (clip: Clip, runtimes: readonly Runtime[]) => Promise<T>,
): Promise<T> {
  const clip = await loadClip(folderModelFiles(model))
  const options = { threads: 1, ...(device !== undefined && { device }) }
  const runtimes = await Promise.all(Array.from({ length: Math.min(threads, tasks) }, () => nodeRuntime(options)))
  const [note] = runtimes.flatMap((runtime) => runtime.note ?? [])
  if (note !== undefined) hooks.onWarning?.(note)
  try {
    return await work(clip, runtimes)
  } finally {
    await Promise.all(runtimes.map((runtime) => runtime.close()))
  }
}

function chosen(tasks: readonly Task[], names: readonly string[] | undefined): readonly Task[] {
  if (names === undefined) return tasks
  const known = tasks.map(({ name }) => name)
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new UsageError(`--tasks: there is no task ${unknown.join(', ')}`, `the tasks are ${known.join(', ')}`)
  return tasks.filter(({ name }) => names.includes(name))
}

function commandOf({ quick, tasks, shots, seeds }: DemoChoice): string {
  const lists = { tasks, shots, seeds }
  const flags = Object.entries(lists).flatMap(([flag, list]) =>
    list === undefined ? [] : [`--${flag} ${list.join(',')}`],
  )
  return ['coop demo', ...(quick ? ['--quick'] : []), ...flags].join(' ')
}
