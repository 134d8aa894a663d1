import type { Hooks } from '../base/progress.ts'
import { loadClip } from '../clip/load.ts'
import type { Clip } from '../clip/types.ts'
import { modelFilesAt } from '../node/files.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import type { UsedModel } from '../trained/learned.ts'
import { resolveModel } from './model-word.ts'

/** The model that a command or a plan names. Throws FileError or HubError when there is none that can be used. */
export async function openModel(word: string, hooks: Hooks): Promise<UsedModel & { readonly clip: Clip }> {
  const { files, ...used } = await resolveModel(word, hooks)
  return { clip: await loadClip(await modelFilesAt(files)), ...used }
}

/** A model and a runtime to use it on, which is closed afterwards. Throws as openModel does. */
export async function withModel<T>(
  model: string,
  options: RuntimeOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime) => Promise<T>,
): Promise<T> {
  const { clip } = await openModel(model, hooks)
  return withRuntime(options, hooks, (runtime) => work(clip, runtime))
}

/** A runtime that is closed afterwards; its fall-back is said. */
export async function withRuntime<T>(
  options: RuntimeOptions,
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
