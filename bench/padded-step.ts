import { positionRows, tokenRows } from '../src/clip/encode.ts'
import { pack } from '../src/clip/towers/packing.ts'
import { textTower } from '../src/clip/towers/text-tower.ts'
import type { Clip } from '../src/clip/types.ts'
import { constantParameters } from '../src/clip/weights/parameters.ts'
import { add, concat, expand, Graph, l2Normalise, reshape, type Value } from '../src/graph/index.ts'
import { stepOverText } from '../src/methods/coop/program.ts'
import type { PromptLayout } from '../src/prompt/layout.ts'
import { contextShape } from '../src/prompt/prompted-tower.ts'

/** CLIP fills up with token 0. */
const PADDING = 0

/**
 * The training step as the official code has it: every prompt is padded to the tower's context length, nothing is
 * shared, all rows go through all layers under the full causal mask, features are taken at the end token.
 * Same inputs and outputs as coopStep. For prompts with the class name at the end and one context for all.
 */
export function paddedTrainingProgram(
  clip: Clip,
  layout: PromptLayout,
  batch: number,
): ReturnType<typeof stepOverText> {
  if (layout.position !== 'end' || layout.classSpecific)
    throw new Error('written for unified prompts, class at the end')
  const { text, embedDim } = clip.config
  const { classes } = layout
  const graph = new Graph()
  const ctx = graph.input('ctx', contextShape(clip, layout))
  const length = text.contextLength
  const packing = pack(new Array<number[]>(classes).fill(Array.from({ length }, (_, i) => i)), false)
  const ends = graph.ints(layout.sequences.map((slots, c) => c * length + slots.length - 1))
  const x = reshape(embeddedPrompts(clip, layout, ctx), [classes * length, text.width])
  const features = textTower(constantParameters(graph, clip.weights), text, embedDim, packing, x, { ends })
  return stepOverText(clip, ctx, l2Normalise(features), batch)
}

/** `(classes, length, width)`: start token, context, then the words of each class, all plus their positions. */
function embeddedPrompts(clip: Clip, { sequences, tokens, contextRows, classes, M }: PromptLayout, ctx: Value): Value {
  const { graph } = ctx
  const { contextLength: length, width } = clip.config.text
  const words = (start: number, end: number) => {
    const ids = sequences.flatMap((slots) =>
      Array.from({ length: end - start }, (_, i) => tokens[(slots[start + i] ?? -1) - contextRows] ?? PADDING),
    )
    return graph.constant({ ...tokenRows(clip, ids), shape: [classes, end - start, width] })
  }
  const context = expand(reshape(ctx, [1, M, width]), [classes, M, width])
  const positions = graph.constant(
    positionRows(
      clip,
      Array.from({ length }, (_, i) => i),
    ),
  )
  return add(concat([words(0, 1), context, words(1 + M, length)], 1), positions)
}
