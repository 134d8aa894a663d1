import { UsageError } from '../base/errors.ts'
import { loadClip } from '../clip/load.ts'
import type { ModelFiles } from '../clip/model-files.ts'
import type { Clip } from '../clip/types.ts'

const isClip = (model: Clip | ModelFiles): model is Clip => 'weights' in model

/** The CLIP of the options, and what runs call it. */
export async function modelOf(model: Clip | ModelFiles): Promise<{ readonly clip: Clip; readonly name: string }> {
  if (typeof model !== 'object' || model === null) {
    throw new UsageError('no model is given', 'give model: a CLIP of loadClip, or its files, as urlModel gives them')
  }
  if (isClip(model)) return { clip: model, name: 'the model of the page' }
  return { clip: await loadClip(model), name: model.name }
}
