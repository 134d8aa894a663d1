import { UsageError } from '../base/errors.ts'
import type { Clip } from '../clip/types.ts'
import { Graph, type Value } from '../graph/index.ts'
import { stepOf, type TrainingStep } from '../learning/loop.ts'
import { classBlocks, MAX_ROWS } from '../prompt/class-blocks.ts'
import type { PromptLayout } from '../prompt/layout.ts'
import { classFeatures, contextShape } from '../prompt/prompted-tower.ts'

/** What a method makes of class features `(classes, embed)` of length 1. */
export type TextLoss = (text: Value) => { readonly loss: Value; readonly logits: Value }

/**
 * A training step over context vectors: `ctx`, and the inputs of the loss -> `loss`, `gradient.ctx`, `logits`. Of many
 * classes the features are computed in blocks, and once more for the gradient: half as long again, in the memory of one block.
 *
 *     d loss / d ctx = sum over blocks of (d loss / d text) (d text / d ctx)
 *
 * @param maxRows packed rows up to which one program does it all; `blockRows` those of a block
 */
export function contextStep(
  clip: Clip,
  layout: PromptLayout,
  lossOf: TextLoss,
  maxRows = MAX_ROWS,
  blockRows?: number,
): TrainingStep {
  const graph = new Graph()
  if (layout.packing.slots.length <= maxRows) {
    const ctx = graph.input('ctx', contextShape(clip, layout))
    const { loss, logits } = lossOf(classFeatures(clip, layout, ctx))
    return stepOf(loss, new Map([['ctx', ctx]]), { logits })
  }
  const text = graph.input('text', [layout.classes, clip.config.embedDim])
  const { loss, logits } = lossOf(text)
  const head = stepOf(loss, new Map([['text', text]] as const), { logits })
  return async (runtime) => {
    const blocks = classBlocks(clip, layout, runtime, blockRows)
    const session = await runtime.load(head)
    return {
      async run({ ctx, ...feeds }) {
        if (ctx?.dtype !== 'float32') throw new UsageError('the context vectors ctx are not fed')
        const { 'gradient.text': dy, ...outputs } = await session.run({ ...feeds, text: await blocks.features(ctx) })
        return { ...outputs, 'gradient.ctx': await blocks.gradient(ctx, dy) }
      },
      async dispose() {
        await blocks.dispose()
        await session.dispose()
      },
    }
  }
}
