import type { Value } from '../../graph/index.ts'
import type { ClipConfig } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'
import { resnet } from './resnet.ts'
import { vit } from './vit.ts'

/** The image features of preprocessed pixels `(n, 3, size, size)`: `(n, embed)`, not normalised. */
export function imageTower(parameters: Parameters, config: ClipConfig, pixels: Value): Value {
  const { vision, embedDim } = config
  const p = under(parameters, 'visual.')
  return vision.kind === 'vit' ? vit(p, vision, embedDim, pixels) : resnet(p, vision, embedDim, pixels)
}
