import { stat } from 'node:fs/promises'
import { loadClip } from '../clip/load.ts'
import type { Clip } from '../clip/types.ts'
import { FileError } from '../errors.ts'
import { folderModelFiles } from '../node/files.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Hooks } from '../progress.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'

/**
 * A model and a runtime to use it on; the runtime is closed afterwards, and its fall-back is said.
 * Throws FileError when the folder holds no model that can be used.
 */
export async function withModel<T>(
  folder: string,
  options: RuntimeOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime) => Promise<T>,
): Promise<T> {
  return withRuntimes(folder, 1, options, hooks, (clip, [runtime]) => {
    if (runtime === undefined) throw new Error('one runtime was asked for')
    return work(clip, runtime)
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

/** The model that a command or a plan names. Throws FileError when there is none that can be used. */
export async function loadModel(model: string, _hooks: Hooks): Promise<Clip> {
  await checkModelFolder(model)
  return loadClip(folderModelFiles(model))
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

async function checkModelFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory()) return
  throw new FileError(
    found ? `the model ${folder} is a file, not a folder` : `the model ${folder}: there is no such folder`,
    'give the folder of a CLIP in the Hugging Face or OpenCLIP layout (--model)',
  )
}
