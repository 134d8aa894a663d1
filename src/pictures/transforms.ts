import type { Random } from '../base/random.ts'
import { roundHalfEven } from '../base/round.ts'
import type { PreprocessConfig, RgbImage } from '../clip/types.ts'
import { BILINEAR, crop, flipHorizontal, resize, squashAndCenterCrop, testCut } from './preprocess.ts'
import { resizePart } from './resize.ts'

/** How pictures are cut to the `size` x `size` pixels that the image tower takes. */
export interface PictureTransforms {
  /** @param resize how the model's configuration resizes */
  test(image: RgbImage, size: number, resize?: PreprocessConfig['resize']): RgbImage
  /** A view to learn from; draws of `random` decide which. */
  train(image: RgbImage, size: number, random: Random): RgbImage
}

/** The official code's ways, by the month from which it was one or the last month in which it was. */
export const TRANSFORMS = {
  /**
   * Today's, from October 2021 on. Test: short side resized, centre cropped (or as the model says). Training: a random part of 8 to 100 % of
   * the area with an aspect ratio of 3/4 to 4/3, resized, mirrored every other time. All bicubic.
   */
  '2021-10': {
    test: testCut,
    train(image, size, random) {
      const { left, top, width, height } = randomRegion(image, random)
      return mirroredByChance(resize(crop(image, left, top, width, height), size, size), random)
    },
  },
  /**
   * Until September 2021 (Dassl before 0.5.0 with `random_flip`, `random_translation`, `center_crop`): squashed to a
   * square, and at the very end the middle of the square enlarged by an eighth. Training, in between: mirrored every
   * other time, shifted every other time.
   */
  '2021-09': {
    test: (image, size) => enlargedMiddle(resize(image, size, size)),
    train(image, size, random) {
      const mirrored = mirroredByChance(resize(image, size, size), random)
      return enlargedMiddle(shiftedByChance(mirrored, random))
    },
  },
} as const satisfies Record<string, PictureTransforms>

export type Transforms = keyof typeof TRANSFORMS

/** Today's first. */
export const TRANSFORMS_NAMES = ['2021-10', '2021-09'] as const satisfies readonly Transforms[]

export const DEFAULT_TRANSFORMS = '2021-10' satisfies Transforms

function mirroredByChance(image: RgbImage, random: Random): RgbImage {
  return random.next() < 0.5 ? flipHorizontal(image) : image
}

const ENLARGED = 1.125

/** Side of the square that a picture of 2021-09, squashed to `size` x `size`, is enlarged to before its middle is taken. */
export function squashedTo(transforms: Transforms, size: number): number | undefined {
  return transforms === '2021-09' ? enlargedSide(size) : undefined
}

const enlargedSide = (size: number) => Math.trunc(size * ENLARGED)

/** torchvision's `CenterCrop` of the square enlarged by an eighth, cut down to whole pixels (bicubic). */
function enlargedMiddle(square: RgbImage): RgbImage {
  return squashAndCenterCrop(square, enlargedSide(square.width), square.width)
}

/** Dassl's `Random2DTranslation`: every other time a random part of the square enlarged by an eighth (bilinear). */
function shiftedByChance(square: RgbImage, random: Random): RgbImage {
  if (random.next() > 0.5) return square
  const size = square.width
  const whole = roundHalfEven(size * ENLARGED)
  const part = () => ({ whole, first: roundHalfEven((whole - size) * random.next()), size })
  const across = part()
  return resizePart(square, across, part(), { filter: BILINEAR })
}

/** A part of a picture, in pixels. */
export interface Region {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

const AREA = [0.08, 1] as const
const ASPECT = [3 / 4, 4 / 3] as const
const TRIES = 10

/** torchvision's `RandomResizedCrop.get_params`: ten tries, then the largest centred part of an allowed aspect ratio. */
export function randomRegion(image: Pick<RgbImage, 'width' | 'height'>, random: Random): Region {
  const between = (low: number, high: number) => low + (high - low) * random.next()
  for (let i = 0; i < TRIES; i++) {
    const area = image.width * image.height * between(...AREA)
    // uniform in the logarithm: 3/4 is as likely as 4/3
    const aspect = Math.exp(between(Math.log(ASPECT[0]), Math.log(ASPECT[1])))
    const width = Math.round(Math.sqrt(area * aspect))
    const height = Math.round(Math.sqrt(area / aspect))
    if (width < 1 || height < 1 || width > image.width || height > image.height) continue
    const top = random.int(image.height - height + 1)
    const left = random.int(image.width - width + 1)
    return { left, top, width, height }
  }
  return centreRegion(image)
}

function centreRegion(image: Pick<RgbImage, 'width' | 'height'>): Region {
  const aspect = image.width / image.height
  const width = aspect > ASPECT[1] ? Math.round(image.height * ASPECT[1]) : image.width
  const height = aspect < ASPECT[0] ? Math.round(image.width / ASPECT[0]) : image.height
  return { left: Math.floor((image.width - width) / 2), top: Math.floor((image.height - height) / 2), width, height }
}
