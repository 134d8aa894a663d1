import { aFunction, checkArguments, withMembers } from '../base/arguments.ts'
import { ShapeError } from '../base/errors.ts'
import { roundHalfEven } from '../base/round.ts'
import type { PreprocessConfig, RgbImage } from '../clip/types.ts'
import { resizePart } from './resize.ts'

export { BILINEAR, resize } from './resize.ts'

/** The `width` x `height` part of an image whose upper left corner is (left, top); black where that is outside. */
export function crop(image: RgbImage, left: number, top: number, width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3)
  const from = Math.max(left, 0)
  const to = Math.min(left + width, image.width)
  for (let y = Math.max(top, 0); y < Math.min(top + height, image.height) && to > from; y++) {
    const row = image.data.subarray((y * image.width + from) * 3, (y * image.width + to) * 3)
    data.set(row, ((y - top) * width + from - left) * 3)
  }
  return { width, height, data }
}

/** An image mirrored left to right. */
export function flipHorizontal({ width, height, data }: RgbImage): RgbImage {
  const flipped = new Uint8Array(data.length)
  for (let y = 0; y < height; y++) {
    const row = y * width * 3
    for (let x = 0; x < width; x++) {
      const from = row + x * 3
      const to = row + (width - 1 - x) * 3
      flipped[to] = data[from]!
      flipped[to + 1] = data[from + 1]!
      flipped[to + 2] = data[from + 2]!
    }
  }
  return { width, height, data: flipped }
}

/**
 * The middle `size` x `size` of the image resized so that its short side is `size`: torchvision's
 * `Resize(size, BICUBIC)`, which cuts the long side to whole pixels, then `CenterCrop(size)`.
 */
export function resizeAndCenterCrop(image: RgbImage, size: number): RgbImage {
  const short = Math.min(image.width, image.height)
  const part = (side: number) => {
    const whole = Math.trunc((size * side) / short)
    return { whole, first: roundHalfEven((whole - size) / 2), size }
  }
  return resizePart(image, part(image.width), part(image.height))
}

/** The middle `size` x `size` of an image resized to `whole` x `whole`, whatever its aspect ratio: squashed. */
export function squashAndCenterCrop(image: RgbImage, whole: number, size: number): RgbImage {
  const part = { whole, first: roundHalfEven((whole - size) / 2), size }
  return resizePart(image, part, part)
}

/** The cut that a model is tested with: the middle of the image resized by its short side, or all of it, squashed. */
export function testCut(image: RgbImage, size: number, resize?: PreprocessConfig['resize']): RgbImage {
  return resize === 'squash' ? squashAndCenterCrop(image, size, size) : resizeAndCenterCrop(image, size)
}

/** What the image tower takes: `(3, size, size)`, (value / 255 - mean) / std in float32. */
export function normalize({ width, height, data }: RgbImage, { mean, std }: PreprocessConfig): Float32Array {
  const plane = width * height
  const pixels = new Float32Array(3 * plane)
  for (let channel = 0; channel < 3; channel++) {
    const table = normalizedValues(mean[channel]!, std[channel]!)
    for (let i = 0; i < plane; i++) pixels[channel * plane + i] = table[data[i * 3 + channel]!]!
  }
  return pixels
}

/** Each 8-bit value normalised, rounded to float32 after each step as PyTorch does. */
function normalizedValues(mean: number, std: number): Float32Array {
  const { fround } = Math
  return Float32Array.from({ length: 256 }, (_, value) => fround(fround(value / 255) - fround(mean)) / fround(std))
}

/**
 * CLIP's test-time preprocessing: short side resized (bicubic, antialiased), centre cropped, normalised; or squashed, where
 * the model's configuration says so. Gives `(3, size, size)`. Throws ShapeError when the image's data do not fit its size.
 *
 * @param cut instead of resizing and cropping: image -> `size` x `size`
 */
export function preprocess(image: RgbImage, config: PreprocessConfig, cut: typeof testCut = testCut): Float32Array {
  checkArguments('preprocess', { config, cut }, { config: aConfig, cut: aFunction })
  checkImage(image)
  return normalize(cut(image, config.size, config.resize), config)
}

const aConfig = withMembers('the config.preprocess of a model', 'size', 'mean', 'std')
const anImage = withMembers('an image { width, height, data }', 'width', 'height', 'data')

/** Throws UsageError for what is no image, ShapeError where its data do not fit its size. */
export function checkImage(image: RgbImage): void {
  checkArguments('an RGB image', { it: image }, { it: anImage })
  const { width, height, data } = image
  const sized = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0
  if (sized && data instanceof Uint8Array && data.length === width * height * 3) return
  throw new ShapeError(`an RGB image of ${width} x ${height} has ${width * height * 3} bytes, not ${data.length}`)
}
