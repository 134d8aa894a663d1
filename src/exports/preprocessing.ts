import type { PreprocessConfig } from '../clip/types.ts'
import type { Exif } from '../pictures/picture.ts'
import { squashedTo, type Transforms } from '../pictures/transforms.ts'

/** How pictures become `pixel_values`, in words that programs of other people read. */
export interface Preprocessing {
  readonly size: number
  /** Squashed to this first, where the run was trained on pictures of 2021-09. */
  readonly resize_before?: { readonly width: number; readonly height: number }
  readonly resize: { readonly shortest_edge: number } | { readonly width: number; readonly height: number }
  /** Side of the square in the middle that is taken. */
  readonly crop: number
  /** Pillow's, antialiased. */
  readonly interpolation: 'bicubic'
  /** What 8-bit values are multiplied by before `mean` and `std`. */
  readonly rescale: number
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly channels: 'RGB'
  readonly exif: Exif
}

/** The preprocessing of a run's pictures. */
export function preprocessing(config: PreprocessConfig, transforms: Transforms, exif: Exif): Preprocessing {
  const { size, mean, std, resize } = config
  const square = (side: number) => ({ width: side, height: side })
  const enlarged = squashedTo(transforms, size)
  const common = {
    size,
    crop: size,
    interpolation: 'bicubic',
    rescale: 1 / 255,
    mean,
    std,
    channels: 'RGB',
    exif,
  } as const
  if (enlarged !== undefined) return { ...common, resize_before: square(size), resize: square(enlarged) }
  return { ...common, resize: resize === 'squash' ? square(size) : { shortest_edge: size } }
}
