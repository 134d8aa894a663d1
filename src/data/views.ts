import { crop, flipHorizontal, resize } from '../clip/preprocess.ts'
import type { RgbImage } from '../clip/types.ts'
import { type Random, randomFor } from '../random.ts'

/** One augmented view of a picture; these three decide it wholly, whatever the file's name or place. */
export interface View {
  readonly seed: number
  /** Hash of the file's content. */
  readonly content: string
  readonly index: number
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

/**
 * The training view of the official code, `(size, size)`: a random part of 8 to 100 % of the area with an aspect ratio
 * of 3/4 to 4/3, resized (bicubic), mirrored every other time.
 */
export function augmentedView(image: RgbImage, size: number, view: View): RgbImage {
  const random = randomFor('view', view.seed, view.content, view.index)
  const { left, top, width, height } = randomRegion(image, random)
  const resized = resize(crop(image, left, top, width, height), size, size)
  return random.next() < 0.5 ? flipHorizontal(resized) : resized
}

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
