import { anObject, aText, checkArguments } from '../base/arguments.ts'
import { CoopError, FileError, UsageError } from '../base/errors.ts'
import { roomFor } from '../base/overlap.ts'
import type { RgbImage } from '../clip/types.ts'
import { type DecodeOptions, isPicture } from '../pictures/picture.ts'
import { pngOf } from '../pictures/png.ts'
import { checkImage } from '../pictures/preprocess.ts'
import type { WebPicture } from './picture.ts'
import { withPicture } from './picture-pool.ts'

/** Bytes of files that are decoded at the same time; what is larger is decoded alone. */
const BYTES_IN_FLIGHT = 2 ** 26
const room = roomFor(BYTES_IN_FLIGHT)

/** Files larger than this are no pictures, and would fill the memory of the page. */
const MAX_BYTES = 2 ** 30

/**
 * Decodes a picture to the pixels that Node has for PNG, BMP and PPM: transparency is dropped, not blended, no colour
 * profiles, of 16 bits the upper 8. JPEG, WebP, GIF and what else the browser knows (AVIF) are decoded by it. Turned by its
 * EXIF orientation only with `exif: 'turn'`. One that is decoded is given back as it is. `name` is what messages call it;
 * default: the name of a File.
 *
 * Throws FileError when it cannot be decoded or is cut short, UsageError for what is no picture.
 */
export async function decodeImage(
  picture: WebPicture,
  name = picture instanceof File ? picture.name : 'the picture',
  options: DecodeOptions = {},
): Promise<RgbImage> {
  checkArguments('decodeImage', { name, options }, { name: aText, options: anObject })
  if (!isWebPicture(picture)) {
    throw new UsageError(
      `${name} is neither a File or Blob nor bytes nor RGB pixels of its size`,
      'give a File, the bytes of one, or { width, height, data } with data of RGB, 3 bytes a pixel',
    )
  }
  if (!(picture instanceof Blob) && !(picture instanceof Uint8Array)) return picture
  const size = picture instanceof Blob ? picture.size : picture.length
  if (size > MAX_BYTES) throw new FileError(`${name} cannot be read as a picture: it has ${size} bytes`, REMEDY)
  const leave = await room(size)
  try {
    const bytes = picture instanceof Blob ? await bytesOf(picture, name) : picture
    const result = await withPicture({
      kind: 'decode',
      bytes,
      exif: options.exif ?? 'ignore',
      maxPixels: options.maxPixels,
    })
    if ('image' in result) return result.image
    const reason = 'fault' in result ? result.fault : 'it is damaged, or too large for the memory of this page'
    const cause = 'error' in result ? new Error(result.error) : undefined
    throw new FileError(`${name} cannot be read as a picture: ${reason}`, REMEDY, { cause })
  } finally {
    leave()
  }
}

const REMEDY = 'remove the file, or replace it with a PNG, JPEG, WebP, GIF, BMP or PPM picture'

/** Whether it is a File or Blob, bytes, or pixels of their size. */
export const isWebPicture = (value: unknown): value is WebPicture =>
  value instanceof Blob || (typeof value !== 'string' && isPicture(value))

/** The content of a File. Throws FileError where it has gone meanwhile. */
export async function bytesOf(blob: Blob, name: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer())
  } catch (cause) {
    throw new FileError(`cannot read ${name}: it has changed or is gone since it was chosen`, 'choose it again', {
      cause,
    })
  }
}

/** An image as PNG. */
export async function encodePng(image: RgbImage): Promise<Uint8Array> {
  checkImage(image)
  try {
    return await pngOf(image)
  } catch (cause) {
    throw new CoopError('the picture cannot be written as PNG', undefined, { cause })
  }
}
