import { loadClip } from '../clip/load.ts'
import type { Clip } from '../clip/types.ts'
import { folderModelFiles } from '../node/files.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Hooks } from '../progress.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'

/** A model and a runtime to use it on; the runtime is closed afterwards, and its fall-back is said. */
export async function withModel<T>(
  folder: string,
  options: RuntimeOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime) => Promise<T>,
): Promise<T> {
  const clip = await loadClip(folderModelFiles(folder))
  const runtime = await nodeRuntime(options)
  if (runtime.note !== undefined) hooks.onWarning?.(runtime.note)
  try {
    return await work(clip, runtime)
  } finally {
    await runtime.close()
  }
}
