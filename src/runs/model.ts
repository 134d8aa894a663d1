import { dirname, join } from 'node:path'
import type { Hooks } from '../base/progress.ts'
import { loadClip } from '../clip/load.ts'
import type { ModelFiles } from '../clip/model-files.ts'
import type { Clip } from '../clip/types.ts'
import { modelFilesAt } from '../node/files.ts'
import { knownFingerprint } from '../node/known-fingerprints.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { ProfiledOptions, Runtime, RuntimeOptions } from '../runtime/types.ts'
import { type ResolvedModel, resolveModel } from './model-word.ts'

/** A model in memory, where it is, and the names of its files there. */
export interface OpenedModel extends ResolvedModel {
  readonly clip: Clip
  readonly parts: readonly string[]
}

/**
 * The model that a command or a plan names. Throws FileError or HubError when there is none that can be used.
 *
 * @param cache folder in which the fingerprints of models are kept; left out: they are not
 */
export async function openModel(word: string, hooks: Hooks, cache?: string): Promise<OpenedModel> {
  const began = Date.now()
  const resolved = await resolveModel(word, hooks)
  const parts = new Set<string>()
  const files = noting(await modelFilesAt(resolved.files), parts)
  // modelFilesAt has taken it for a folder, or for a file in one
  const folder = files.single === undefined ? resolved.files : dirname(resolved.files)
  const fingerprint = (compute: () => Promise<string>) => {
    const read = Array.from(parts, (file) => join(folder, file))
    return cache === undefined ? compute() : knownFingerprint(cache, read, began, compute)
  }
  const clip = await loadClip({ ...files, fingerprint })
  return { ...resolved, clip, parts: [...parts] }
}

/** Files of a model; the names of those that are there and asked for are kept. */
function noting(files: ModelFiles, parts: Set<string>): ModelFiles {
  const note = <T>(file: string, found: T): T => {
    if (found !== false) parts.add(file)
    return found
  }
  return {
    ...files,
    has: async (file) => note(file, await files.has(file)),
    text: async (file) => note(file, await files.text(file)),
    open: async (file) => note(file, await files.open(file)),
  }
}

/** A model and a runtime to use it on, which is closed afterwards. Throws as openModel does. */
export async function withModel<T>(
  model: string,
  options: RuntimeOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime) => Promise<T>,
): Promise<T> {
  return withRuntimeBeside(openModel(model, hooks), options, hooks, ({ clip }, runtime) => work(clip, runtime))
}

/** A runtime that is opened while something else is, such as a model, and closed afterwards. */
export async function withRuntimeBeside<A, T>(
  opening: Promise<A>,
  options: ProfiledOptions,
  hooks: Hooks,
  work: (opened: A, runtime: Runtime) => Promise<T>,
): Promise<T> {
  opening.catch(() => undefined) // it may fail before anybody waits for it
  return withRuntime(options, hooks, async (runtime) => work(await opening, runtime))
}

/** A runtime that is closed afterwards; its fall-back is said. */
export async function withRuntime<T>(
  options: ProfiledOptions,
  hooks: Hooks,
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  return withPool(1, options, hooks, ([runtime]) => {
    if (runtime === undefined) throw new Error('one runtime was asked for')
    return work(runtime)
  })
}

/** Runtimes that work at the same time, closed afterwards; a fall-back is said once. */
export async function withPool<T>(
  count: number,
  options: ProfiledOptions,
  hooks: Hooks,
  work: (runtimes: readonly Runtime[]) => Promise<T>,
): Promise<T> {
  const runtimes = await Promise.all(Array.from({ length: count }, () => nodeRuntime(options)))
  const [note] = runtimes.flatMap((runtime) => runtime.note ?? [])
  if (note !== undefined) hooks.onWarning?.(note)
  try {
    return await work(runtimes)
  } finally {
    await Promise.all(runtimes.map((runtime) => runtime.close()))
  }
}
