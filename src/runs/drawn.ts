import { join } from 'node:path'
import type { Hooks } from '../base/progress.ts'
import { halfOf } from '../data/halves.ts'
import type { Dataset } from '../data/items.ts'
import { jsonObjectIfAny } from '../node/run-folder.ts'
import { type Datasets, type Drawn, drawnBy } from '../trained/drawn.ts'
import type { Job } from '../trained/job.ts'
import { RUN_FILES } from '../trained/run-files.ts'
import { pictureReader } from './pictures.ts'

/** What is no longer as it was when the run in a folder finished, a line for each: classes, and pictures by their content. */
export async function changesSince(folder: string, job: Job, datasets: Datasets, hooks: Hooks): Promise<string[]> {
  const file = join(folder, RUN_FILES.settings)
  const then = await jsonObjectIfAny(file)
  if (then === undefined) return [`${RUN_FILES.settings} is missing or damaged`]
  const now = await drawnBy(pictureReader(), job, datasets, hooks)
  const { classNames } = halfOf(await datasets.dataset(job, job.dataset, hooks), job.split)
  return [...classChanges(textsIn(then.classNames), classNames), ...pictureChanges(Object(then.pictures), now)]
}

const textsIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])

function classChanges(then: readonly string[], now: Dataset['classNames']): string[] {
  const [before, after] = [new Set(then), new Set(now)]
  const added = now.filter((name) => !before.has(name)).map((name) => `the class "${name}" is new`)
  const gone = then.filter((name) => !after.has(name)).map((name) => `the class "${name}" is gone`)
  if (added.length + gone.length > 0) return [...added, ...gone]
  return then.join('\n') === now.join('\n') ? [] : ['the classes are in another order']
}

function pictureChanges(then: Readonly<Record<string, unknown>>, now: Drawn): string[] {
  const count = (text: unknown) => String(text ?? 0).split(' ')[0]
  return Object.entries(now).flatMap(([name, text]) => {
    if (then[name] === text) return []
    const [before, after] = [count(then[name]), count(text)]
    return [`${name}: ${before === after ? `other pictures (${after})` : `${before} pictures then, ${after} now`}`]
  })
}
