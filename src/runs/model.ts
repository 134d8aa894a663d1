import type { Hooks } from '../base/progress.ts'
import { loadClip } from '../clip/load.ts'
import type { Clip } from '../clip/types.ts'
import { modelFilesAt } from '../node/files.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import { resolveModel } from './model-word.ts'

/**
 * A model, a runtime to use it on, and a name by which the model is found again; the runtime is closed afterwards, and
 * its fall-back is said. Throws FileError or HubError when the word names no model that can be used.
 */
export async function withModel<T>(
  model: string,
  options: RuntimeOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime, name: string) => Promise<T>,
): Promise<T> {
  const { clip, name } = await openModel(model, hooks)
  return withPool(1, options, hooks, ([runtime]) => {
    if (runtime === undefined) throw new Error('one runtime was asked for')
    return work(clip, runtime, name)
  })
}

/** As withModel, with `count` runtimes that work at the same time. */
export async function withRuntimes<T>(
  model: string,
  count: number,
  options: RuntimeOptions,
  hooks: Hooks,
  work: (clip: Clip, runtimes: readonly Runtime[]) => Promise<T>,
): Promise<T> {
  const clip = await loadModel(model, hooks)
  return withPool(count, options, hooks, (runtimes) => work(clip, runtimes))
}

/** The model that a command or a plan names. Throws FileError or HubError when there is none that can be used. */
export async function loadModel(word: string, hooks: Hooks): Promise<Clip> {
  return (await openModel(word, hooks)).clip
}

/** As loadModel, with a name by which the same model is found again from anywhere. */
export async function openModel(word: string, hooks: Hooks): Promise<{ clip: Clip; name: string }> {
  const { path, name } = await resolveModel(word, hooks)
  return { clip: await loadClip(await modelFilesAt(path)), name }
}

/** Runtimes that work at the same time, closed afterwards; a fall-back is said once. */
export async function withPool<T>(
  count: number,
  options: RuntimeOptions,
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
