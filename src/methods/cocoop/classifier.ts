import { ShapeError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import type { PromptLayout } from '../../prompt/layout.ts'
import type { Session } from '../../runtime/types.ts'
import type { Classes, ImageClassifier } from '../method.ts'
import { cocoopLogits } from './program.ts'

/** Rows of tokens that one run computes at most, unless a single image has more. */
const MAX_ROWS = 4096

/**
 * Every image has prompts of its own, so the cost is images x classes prompts: they run through one session, so many
 * images at a time as make a batch of some thousand tokens.
 *
 * @param tensors those of cocoopShapes
 */
export function imageConditionalClassifier(
  { clip, runtime, classNames }: Classes,
  layout: PromptLayout,
  tensors: Readonly<Record<string, FloatTensor>>,
): ImageClassifier {
  const { embedDim } = clip.config
  const classes = classNames.length
  const most = Math.max(1, Math.floor(MAX_ROWS / layout.packing.slots.length))
  let loaded: { readonly images: number; readonly session: Session } | undefined

  async function sessionFor(images: number): Promise<Session> {
    if (loaded?.images === images) return loaded.session
    await loaded?.session.dispose()
    const session = await runtime.load(cocoopLogits(clip, layout, images))
    loaded = { images, session }
    return session
  }

  async function compute(features: FloatTensor, { onProgress }: Hooks): Promise<FloatTensor> {
    const [n = 0] = features.shape
    const all = floatTensor([n, classes])
    if (n === 0) return all
    const images = Math.min(most, n)
    const session = await sessionFor(images)
    for (let done = 0; done < n; ) {
      // the last batch begins early enough to be full
      const start = Math.min(done, n - images)
      const rows = features.data.slice(start * embedDim, (start + images) * embedDim)
      const { logits } = await session.run({ ...tensors, features: floatTensor([images, embedDim], rows) })
      if (logits === undefined) throw new Error('the program has an output "logits"')
      all.data.set(logits.data, start * classes)
      done = start + images
      onProgress?.({ kind: 'evaluate', done, total: n })
    }
    return all
  }

  // one call after the other, as they share the session
  let last: Promise<unknown> = Promise.resolve()
  return {
    classNames,
    async logits(features, hooks = {}) {
      if (features.shape.length !== 2 || features.shape[1] !== embedDim) {
        throw new ShapeError(`image features are (n, ${embedDim}) for this model, not (${features.shape.join(', ')})`)
      }
      const result = last.then(() => compute(features, hooks))
      last = result.catch(() => undefined)
      return result
    },
    async dispose() {
      await last
      await loaded?.session.dispose()
      loaded = undefined
    },
  }
}
