import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hooks } from '../base/progress.ts'
import type { SampleTask } from '../data/samples.ts'
import { bundledSamples } from '../node/package.ts'
import type { Rerun } from '../node/run-folder.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { type Evaluated, evaluateRun, evaluateZeroShot } from './evaluate.ts'
import { checkRunFolder } from './run-folder.ts'
import { sampleTasks } from './samples.ts'
import { train } from './train.ts'
import { type VectorWords, wordsOfRun } from './words.ts'

/** How the demo learns: one context for all classes, in a hundred steps. */
const SETTINGS = { recipe: 'fast' }

export interface SampleDemoOptions extends RuntimeOptions, Rerun {
  /** By name; default: all. */
  readonly task?: string
  readonly seed: number
  /** Folder to keep the runs in, one a task; default: none is kept. */
  readonly out?: string
}

/** Accuracies are fractions of 1 on the task's test pictures. */
export interface SampleResult extends Pick<SampleTask, 'name' | 'title' | 'template'> {
  readonly classes: number
  /** Pictures learned from, and tested on. */
  readonly trained: number
  readonly tested: number
  readonly chance: number
  /** Of the hand-written prompt, and of the learned one. */
  readonly zeroShot: number
  readonly accuracy: number
  readonly perClass: readonly { readonly className: string; readonly zeroShot: number; readonly accuracy: number }[]
  /** What was learned, by the nearest whole word of each vector. */
  readonly words: readonly VectorWords['words'][number][]
  /** Of learning. */
  readonly seconds: number
  /** Its folder, where it is kept. */
  readonly run?: string
}

export interface SampleDemo {
  readonly tasks: readonly SampleResult[]
  readonly seconds: number
}

/**
 * Learns the sample tasks with the bundled model and compares with hand-written prompts. What it needs for a while is in
 * a temporary folder, its cache too. Throws UsageError where there is no such task, or `out` has a run.
 */
export async function sampleDemo(options: SampleDemoOptions, hooks: Hooks): Promise<SampleDemo> {
  const started = performance.now()
  const chosen = await sampleTasks(options.task)
  const { out, resume, force } = options
  if (out !== undefined)
    for (const { name } of chosen) await checkRunFolder(join(out, name), { resume, force }, { method: 'coop' })
  const temporary = await mkdtemp(join(tmpdir(), 'coop-demo-'))
  const remove = () => rmSync(temporary, { recursive: true, force: true })
  process.once('exit', remove) // Ctrl-C does not wait long for what is being computed
  try {
    const tasks: SampleResult[] = []
    for (const task of chosen) tasks.push(await learnTask(task, options, temporary, hooks))
    return { tasks, seconds: (performance.now() - started) / 1000 }
  } finally {
    process.off('exit', remove)
    remove()
  }
}

async function learnTask(
  { name, title, template, classes }: SampleTask,
  { seed, out, resume, force, device, threads }: SampleDemoOptions,
  temporary: string,
  hooks: Hooks,
): Promise<SampleResult> {
  const data = join(bundledSamples(), name)
  const run = join(out ?? temporary, name)
  const computing = { device, threads, cache: join(temporary, 'cache') }
  const templates = [template]
  const { trained = 0, seconds } = await train(
    data,
    { ...computing, method: 'coop', settings: SETTINGS, calibrate: false, templates, seed, out: run, resume, force },
    hooks,
  )
  const hand = await evaluateZeroShot(data, { ...computing, templates }, hooks)
  const learned = await evaluateRun(run, data, computing, hooks)
  const of = ({ perClass }: Evaluated, className: string) => perClass[className] ?? 0
  const perClass = Object.keys(learned.perClass).map((className) => ({
    className,
    zeroShot: of(hand, className),
    accuracy: of(learned, className),
  }))
  const { tested, chance, accuracy } = learned
  const { contexts } = await wordsOfRun(run, computing, hooks)
  const words = contexts.flatMap(({ vectors }) => vectors.flatMap(({ words }) => words.slice(0, 1)))
  const measured = { trained, tested, chance, zeroShot: hand.accuracy, accuracy, perClass, words, seconds }
  return { name, title, template, classes: classes.length, ...measured, run: out === undefined ? undefined : run }
}
