import { z } from 'zod'
import { MAX_VIEWS } from '../base/bounds.ts'
import { randomFor } from '../base/random.ts'
import type { RgbImage } from '../clip/types.ts'
import { DEFAULT_TRANSFORMS, TRANSFORMS, type Transforms } from './transforms.ts'

/** One augmented view of a picture; these three decide it wholly, whatever the file's name or place. */
export interface View {
  readonly seed: number
  /** Hash of the file's content. */
  readonly content: string
  /** Which of a fixed number of views, or the epoch for which it is drawn. */
  readonly index: number
}

/** Augmented views to learn from: a number for each image, none (0: the image as for testing), or a new one each epoch. */
export const viewsSchema = z.union([z.int().min(0).max(MAX_VIEWS), z.literal('online')], {
  error: `expected a number of views from 0 to ${MAX_VIEWS}, or online`,
})
export type Views = z.output<typeof viewsSchema>

/** Views of each training image where nobody says how many; docs/views.md has the measurement. */
export const DEFAULT_VIEWS = 4

/** A view to learn from, `(size, size)`. */
export function augmentedView(
  image: RgbImage,
  size: number,
  { seed, content, index }: View,
  transforms: Transforms = DEFAULT_TRANSFORMS,
): RgbImage {
  return TRANSFORMS[transforms].train(image, size, randomFor('view', seed, content, index))
}
