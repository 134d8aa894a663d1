import { availableParallelism } from 'node:os'
import { UsageError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { withoutHome } from '../../node/files.ts'
import { openModel, withPool } from '../../runs/model.ts'
import type { RuntimeOptions } from '../../runtime/types.ts'
import type { DemoResult } from './report/types.ts'
import { runDemo } from './run.ts'
import { type DemoTask, demoTasks } from './tasks.ts'

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
  // A runtime of one thread for each task that runs at the same time.
  const { device = 'cpu', threads = availableParallelism() } = choice
  const { clip } = await openModel(model, hooks)
  const result = await withPool(Math.min(threads, tasks.length), { device, threads: 1 }, hooks, (runtimes) =>
    runDemo(clip, runtimes, { tasks, shots, seeds }, hooks),
  )
  const settings = { seeds, shots, model: withoutHome(model), command: commandOf(choice) }
  return { ...result, settings, seconds: (performance.now() - started) / 1000 }
}

function chosen(tasks: readonly DemoTask[], names: readonly string[] | undefined): readonly DemoTask[] {
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
  return ['npm run demo --', ...(quick ? ['--quick'] : []), ...flags].join(' ')
}
