import { positionRows, tokenRows } from '../clip/encode.ts'
import { textTower } from '../clip/towers/text-tower.ts'
import type { Clip } from '../clip/types.ts'
import { constantParameters } from '../clip/weights/parameters.ts'
import {
  add,
  concat,
  Graph,
  gather,
  l2Normalise,
  type Program,
  program,
  reshape,
  type Shape,
  type Value,
} from '../graph/index.ts'
import type { PromptLayout } from './layout.ts'

/** Shape of the context vectors: `(M, width)`, or `(classes, M, width)` where each class has its own. */
export function contextShape(clip: Clip, { classes, M, classSpecific }: PromptLayout): Shape {
  const { width } = clip.config.text
  return classSpecific ? [classes, M, width] : [M, width]
}

/** The text features of all classes, `(classes, embed)`, of length 1, for context vectors `ctx` (see contextShape). */
export function classFeatures(clip: Clip, layout: PromptLayout, ctx: Value): Value {
  const { text, embedDim } = clip.config
  const { graph } = ctx
  const { packing, contextRows, tokens } = layout
  const words = graph.constant(tokenRows(clip, tokens))
  const table = concat([reshape(ctx, [contextRows, text.width]), words], 0)
  const rows = gather(table, graph.ints(packing.slots))
  const x = add(rows, graph.constant(positionRows(clip, packing.positions)))
  return l2Normalise(textTower(constantParameters(graph, clip.weights), text, embedDim, packing, x))
}

/** Evaluation: `ctx` -> `features` `(classes, embed)` of length 1. */
export function classFeaturesProgram(clip: Clip, layout: PromptLayout): Program<'features'> {
  const graph = new Graph()
  const ctx = graph.input('ctx', contextShape(clip, layout))
  return program(graph, { features: classFeatures(clip, layout, ctx) })
}
