import { aFunction, checkArguments, withMembers } from '../../base/arguments.ts'
import { expectValues } from '../../graph/graph.ts'
import type { Value } from '../../graph/index.ts'
import type { ClipConfig } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'
import type { Between } from './between.ts'
import { resnet } from './resnet.ts'
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
  const { vision, embedDim } = config
  const p = under(parameters, 'visual.')
  return vision.kind === 'vit'
    ? vit(p, vision, embedDim, pixels, between)
    : resnet(p, vision, embedDim, pixels, { between })
}
