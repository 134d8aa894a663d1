import { type ImageClassifier, rowClassifier } from '../../learning/classifier.ts'
import { rowFunction } from '../../learning/rows.ts'
import type { Tensors } from '../../learning/types.ts'
import type { PromptLayout } from '../../prompt/layout.ts'
import type { Classes } from '../method.ts'
import { imageConditionalLogits } from './program.ts'

/** Rows of tokens that one run computes at most, unless a single image has more. */
const MAX_ROWS = 4096

/**
 * Every image has its own prompts, so the cost is images x classes prompts: as many images run at a time as make a
 * batch of some thousand tokens.
 *
 * @param tensors those of cocoopShapes
 */
export function imageConditionalClassifier(
  { clip, runtime, classNames }: Classes,
  layout: PromptLayout,
  tensors: Tensors,
): ImageClassifier {
  const most = 2 ** Math.floor(Math.log2(Math.max(1, MAX_ROWS / layout.packing.slots.length)))
  const rows = rowFunction(
    runtime,
    [clip.config.embedDim],
    (features) => {
      const { graph } = features
      return imageConditionalLogits(clip, layout, features, (name) => {
        const tensor = tensors.get(name)
        if (tensor === undefined) throw new Error(`CoCoOp learns no ${name}`)
        return graph.weight(`learned.${name}`, tensor)
      })
    },
    most,
  )
  return rowClassifier(clip, classNames, rows)
}
