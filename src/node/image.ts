import sharp from 'sharp'
import type { RgbImage } from '../clip/types.ts'
import { FileError } from '../errors.ts'
import { readBytes } from './files.ts'

/** Pictures above this are refused: they would fill the memory (Pillow's limit is near it). */
const MAX_PIXELS = 180_000_000

/**
 * Decodes a picture (PNG, JPEG, WebP, GIF, TIFF, AVIF ...; first frame) as Pillow's `Image.open(path).convert("RGB")`
 * does: transparency is dropped, not blended; greys and palettes become RGB; no rotation by EXIF, no colour profiles.
 * 16-bit values keep their upper 8 bits. Throws FileError naming the file.
 */
export async function decodeImage(picture: string | Uint8Array, name?: string): Promise<RgbImage> {
  const what = name ?? (typeof picture === 'string' ? picture : 'the picture')
  const bytes = typeof picture === 'string' ? await readBytes(picture) : picture
  if (bytes.length === 0) throw new FileError(`${what} is empty, not a picture`)
  try {
    const { data, info } = await sharp(bytes, { ignoreIcc: true, failOn: 'error', limitInputPixels: MAX_PIXELS })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data: asRgb(data, info.channels) }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.trim() : String(cause)
    throw new FileError(`${what} cannot be read as a picture: ${why}`, 'Remove or replace the file.', { cause })
  }
}

function asRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data)
  const rgb = new Uint8Array((data.length / channels) * 3)
  for (let i = 0; i < rgb.length; i++) rgb[i] = data[Math.floor(i / 3) * channels]!
  return rgb
}

/** An image as PNG. */
export async function encodePng({ width, height, data }: RgbImage): Promise<Uint8Array> {
  return new Uint8Array(
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  )
}
