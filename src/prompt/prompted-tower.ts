import { aClip, checkArguments, withMembers } from '../base/arguments.ts'
import { positionRows, tokenRows } from '../clip/encode.ts'
import { textTower } from '../clip/towers/text-tower.ts'
import type { Clip } from '../clip/types.ts'
import { constantParameters } from '../clip/weights/parameters.ts'
import { expectValues } from '../graph/graph.ts'
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

const aLayout = withMembers(
  'prompts, as promptLayout lays them out',
  'classes',
  'M',
  'contextRows',
  'tokens',
  'packing',
)

/** Shape of the context vectors: `(M, width)`, or `(classes, M, width)` where each class has its own. */
export function contextShape(clip: Clip, layout: PromptLayout): Shape {
  checkArguments('contextShape', { clip, layout }, { clip: aClip, layout: aLayout })
  const { classes, M, classSpecific } = layout
  const { width } = clip.config.text
  return classSpecific ? [classes, M, width] : [M, width]
}

/** The text features of all classes, `(classes, embed)`, of length 1, for context vectors `ctx` (see contextShape). */
export function classFeatures(clip: Clip, layout: PromptLayout, ctx: Value): Value {
  checkArguments('classFeatures', { clip, layout }, { clip: aClip, layout: aLayout })
  expectValues('classFeatures', [ctx])
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
