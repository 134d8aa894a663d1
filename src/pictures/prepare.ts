import type { PreprocessConfig, RgbImage } from '../clip/types.ts'
import { normalize, preprocess } from './preprocess.ts'
import { TRANSFORMS, type Transforms } from './transforms.ts'
import { augmentedView, type View } from './views.ts'

/** How pictures are cut for a model. */
export interface Preparation {
  readonly config: PreprocessConfig
  readonly transforms: Transforms
}

/** What the image tower takes of a picture, `(3, size, size)`: a view to learn from, or without `view` as for testing. */
export function prepared(image: RgbImage, { config, transforms }: Preparation, view: View | undefined): Float32Array {
  return view === undefined
    ? preprocess(image, config, TRANSFORMS[transforms].test)
    : normalize(augmentedView(image, config.size, view, transforms), config)
}
