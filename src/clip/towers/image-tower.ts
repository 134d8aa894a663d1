import { aFunction, checkArguments, withMembers } from '../../base/arguments.ts'
import { expectValues } from '../../graph/graph.ts'
import { matmul, type Value } from '../../graph/index.ts'
import type { ClipConfig } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'
import type { Between } from './between.ts'
import { resnet } from './resnet.ts'
import { linear } from './transformer.ts'
import { vit } from './vit.ts'

const aConfig = withMembers('the config of a model', 'vision', 'embedDim')

/**
 * The image features of preprocessed pixels `(n, 3, size, size)`: `(n, embed)`, not normalised.
 *
 * @param between steps in before each block
 */
export function imageTower(parameters: Parameters, config: ClipConfig, pixels: Value, between?: Between): Value {
  expectValues('imageTower', [pixels])
  checkArguments(
    'imageTower',
    { parameters, config, between },
    { parameters: aFunction, config: aConfig, between: aFunction.optional() },
  )
  return imageProjection(parameters, config, imageTrunk(parameters, config, pixels, between))
}

/** The image tower up to its last projection: pixels -> trunk features `(n, trunkWidth)`. */
export function imageTrunk(parameters: Parameters, config: ClipConfig, pixels: Value, between?: Between): Value {
  const { vision } = config
  const p = under(parameters, 'visual.')
  return vision.kind === 'vit' ? vit(p, vision, pixels, between) : resnet(p, vision, pixels, { between })
}

/** The last projection: trunk features `(n, trunkWidth)` -> image features `(n, embed)`; in a ResNet with a bias. */
export function imageProjection(parameters: Parameters, { vision, embedDim }: ClipConfig, trunk: Value): Value {
  const p = under(parameters, 'visual.')
  return vision.kind === 'vit'
    ? matmul(trunk, p('proj', [vision.width, embedDim]))
    : linear(p, 'attnpool.c_proj.', trunk, embedDim)
}

/** The tensor that is the matrix of the last projection. */
export const projectionName = ({ vision }: ClipConfig): string =>
  vision.kind === 'vit' ? 'visual.proj' : 'visual.attnpool.c_proj.weight'

/** Values of a row of trunk features: what the last projection of the image tower takes. */
export const trunkWidth = ({ vision }: ClipConfig): number => (vision.kind === 'vit' ? vision.width : 32 * vision.width)
