import sharp from 'sharp'
import { FileError } from '../base/errors.ts'
import type { RgbImage } from '../clip/types.ts'
import type { Picture } from '../pictures/picture.ts'
import { readBytes } from './files.ts'

/** Pictures above this are refused: they would fill the memory (Pillow's own limit is near it). */
const MAX_PIXELS = 180_000_000

const OPTIONS = { ignoreIcc: true, failOn: 'error', limitInputPixels: MAX_PIXELS } as const

/**
 * Decodes a picture (PNG, JPEG, WebP, GIF, TIFF, AVIF; first frame) as Pillow's `Image.open(path).convert("RGB")`
 * does: transparency is dropped, not blended; greys and palettes become RGB; no rotation by EXIF, no colour profiles.
 * Of 16-bit values the upper 8 bits are kept. One that is decoded is given back as it is. `name` is what messages call bytes.
 * Throws FileError naming the file when it cannot be decoded or is cut short.
 */
export async function decodeImage(picture: Picture, name = 'the picture'): Promise<RgbImage> {
  if (typeof picture !== 'string' && !(picture instanceof Uint8Array)) return picture
  const isPath = typeof picture === 'string'
  const what = isPath ? picture : name
  const bytes = isPath ? await readBytes(picture) : picture
  if (bytes.length === 0) throw new FileError(`${what} cannot be read as a picture: it is empty`, REMEDY)
  try {
    const { space } = await sharp(bytes, OPTIONS).metadata()
    return space === 'cmyk' ? await decodeCmyk(bytes) : await decodeRgb(bytes)
  } catch (cause) {
    throw new FileError(`${what} cannot be read as a picture: ${reasonOf(cause)}`, REMEDY, { cause })
  }
}

const REMEDY = 'remove the file, or replace it with a PNG, JPEG, WebP, GIF, TIFF or AVIF picture'

/** What the decoder means, in plain words; its own are kept as the cause. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/unsupported image format/i, 'it is not a picture of a kind that is known'],
  [/pixel limit/i, `it has more than ${MAX_PIXELS / 1e6} million pixels`],
]

function reasonOf(cause: unknown): string {
  const found = REASONS.find(([pattern]) => pattern.test(String(cause)))
  return found === undefined ? 'it is damaged, or only part of it is there' : found[1]
}

async function decodeRgb(bytes: Uint8Array): Promise<RgbImage> {
  const { data, info } = await sharp(bytes, OPTIONS)
    .toColourspace('srgb')
    .removeAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, data: info.channels === 3 ? new Uint8Array(data) : greyToRgb(data) }
}

function greyToRgb(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(grey.length * 3)
  for (let i = 0; i < grey.length; i++) rgb.fill(grey[i]!, i * 3, i * 3 + 3)
  return rgb
}

/** Pillow's plain conversion of the four inks: value = (255 - k) - ink (255 - k) / 255, no colour management. */
async function decodeCmyk(bytes: Uint8Array): Promise<RgbImage> {
  const { data: inks, info } = await sharp(bytes, OPTIONS)
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const data = new Uint8Array(info.width * info.height * 3)
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    const light = 255 - inks[pixel * info.channels + 3]!
    for (let ink = 0; ink < 3; ink++) {
      data[pixel * 3 + ink] = light - Math.round((inks[pixel * info.channels + ink]! * light) / 255)
    }
  }
  return { width: info.width, height: info.height, data }
}

/** An image as PNG. */
export async function encodePng({ width, height, data }: RgbImage): Promise<Uint8Array> {
  return new Uint8Array(
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  )
}
