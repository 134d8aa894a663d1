import { basename, dirname, resolve } from 'node:path'
import { UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { AnyMethod } from '../methods/index.ts'
import { statIfThere } from '../node/files.ts'
import type { OpenedModel } from '../runs/model.ts'
import { modelOf, openRun } from '../runs/open-run.ts'
import { readSavedRun } from '../runs/saved-run.ts'
import type { Runtime } from '../runtime/types.ts'
import type { OpenRun } from '../trained/classify.ts'
import { type SavedRun, writeLearned } from '../trained/learned.ts'

/** A run to be served, and the name that requests call it. */
export interface RunToServe {
  readonly run: string
  /** Letters, digits and `. _ ~ -`; default: the name of its folder. */
  readonly name?: string
  /** The model that it learned on, or a word for it; default: where it was when the run was made. */
  readonly model?: string
}

/** A run that answers. */
export interface ServedRun {
  readonly name: string
  readonly method: string
  readonly open: OpenRun
  /** Its learned.safetensors, without the places of files. */
  readonly learned: Uint8Array<ArrayBuffer>
  /** Where its model is, and which files there are the model; undefined for one of OpenAI's files, which a page does not read. */
  readonly model?: { readonly folder: string; readonly parts: readonly string[] }
}

const NAME = /^[A-Za-z0-9][\w.~-]*$/

/** Runs of one model share it. Throws as openRun does, UsageError for names that are no names or are there twice. */
export async function openRuns(
  runs: readonly RunToServe[],
  runtime: Runtime,
  { methods, ...hooks }: Hooks & { readonly methods?: readonly AnyMethod[] },
): Promise<ServedRun[]> {
  const names = runs.map(({ run, name }) => name ?? nameOf(run))
  for (const [i, name] of names.entries()) {
    if (!NAME.test(name)) throw new UsageError(`${JSON.stringify(name)} cannot be the name of a run`, NAMES)
    if (names.indexOf(name) < i) throw new UsageError(`two runs have the name ${name}`, 'name them: --run NAME=RUN')
  }
  const models: OpenedModel[] = []
  const served: ServedRun[] = []
  for (const [i, { run, model: word }] of runs.entries()) {
    const saved = await readSavedRun(run, methods)
    const known = models.find(({ clip }) => clip.fingerprint === saved.model.fingerprint)
    const model = known ?? (await modelOf(saved, word, hooks))
    if (known === undefined) models.push(model)
    served.push({
      name: names[i] ?? '',
      method: saved.method.title(saved.settings),
      open: await openRun(run, { runtime, model: model.clip, methods, ...hooks }),
      learned: await writeLearned({ ...saved, model: placeless(saved) }),
      model: await pageModel(model),
    })
  }
  return served
}

const NAMES = 'a name has letters, digits and . _ ~ - (--run NAME=RUN)'

const nameOf = (run: string): string =>
  basename(resolve(run))
    .replace(/[^\w.~-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '') || 'run'

/** A model of a path is called by its last word: where it is on this machine is nobody's business. */
function placeless({ model: { name, place, fingerprint } }: SavedRun): SavedRun['model'] {
  return place === undefined ? { name, fingerprint } : { name: basename(name) || 'model', fingerprint }
}

async function pageModel({ files, parts }: OpenedModel): Promise<ServedRun['model']> {
  if ((await statIfThere(files))?.isDirectory()) return { folder: files, parts }
  return parts.some((part) => part.endsWith('.json')) ? { folder: dirname(files), parts } : undefined
}
