import { stat } from 'node:fs/promises'
import { isMainThread } from 'node:worker_threads'
import type { Metadata, Sharp } from 'sharp'
import { anObject, aText, checkArguments } from '../base/arguments.ts'
import { FileError, UsageError } from '../base/errors.ts'
import { roomFor } from '../base/overlap.ts'
import type { RgbImage } from '../clip/types.ts'
import { bmpSize, decodeBmp } from '../pictures/bmp.ts'
import { hasOwnColours, paintAround, withoutTransparency } from '../pictures/gif.ts'
import { type DecodeOptions, type Exif, isPicture, type Picture } from '../pictures/picture.ts'
import { PictureFault, TooManyPixels } from '../pictures/picture-fault.ts'
import { decodePnm, pnmSize } from '../pictures/pnm.ts'
import { checkImage } from '../pictures/preprocess.ts'
import { fileError, readBytes } from './files.ts'
import { decodeHeic, heicSize, isHeic } from './heic.ts'

/** Pictures above this are refused: they would fill the memory (Pillow's own limit is near it). */
const MAX_PIXELS = 180_000_000
/** Of the memory below, that of a thread that reads pictures beside the others (there are four at most). */
const SHARE = isMainThread ? 1 : 1 / 4
/** Bytes of files, and pixels, that are decoded at the same time; what is larger is decoded alone. */
const [FILES_IN_FLIGHT, PIXELS_IN_FLIGHT] = [2 ** 28 * SHARE, 100_000_000 * SHARE]

const OPTIONS = { ignoreIcc: true, failOn: 'error', limitInputPixels: MAX_PIXELS } as const

/** A byte of a GIF holds at most 2,731 pixels (its longest code is 12 bits for 4,096): more are refused, where they are many. */
const [GIF_RATIO, GIF_UNQUESTIONED] = [2731, 4_000_000]

/** It takes a tenth of a second to open, which those need not wait for whose features are all known. */
export const openSharp = async () => (await import('sharp')).default

const filesRoom = roomFor(FILES_IN_FLIGHT)
const pixelsRoom = roomFor(PIXELS_IN_FLIGHT)

/**
 * Decodes a picture (PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP, PPM, HEIC; first frame) as Pillow's
 * `Image.open(path).convert("RGB")` does: transparency is dropped, not blended; greys and palettes become RGB; no colour
 * profiles. A TIFF is turned as its orientation says, other pictures only with `exif: 'turn'`. Of 16-bit values the upper
 * 8 bits are kept. One that is decoded is given back as it is. `name` is what messages call bytes.
 *
 * However many pictures are asked for at a time, only so many are in memory as have PIXELS_IN_FLIGHT together.
 * Throws FileError naming the file when it cannot be decoded or is cut short (its cause is a TooManyPixels where it has more
 * than `maxPixels`, which is seen before anything is decoded), UsageError for what is no picture.
 */
export async function decodeImage(
  picture: Picture,
  name = 'the picture',
  options: DecodeOptions = {},
): Promise<RgbImage> {
  checkArguments('decodeImage', { name, options }, { name: aText, options: anObject })
  if (!isPicture(picture)) {
    throw new UsageError(
      `${name} is neither a path nor bytes nor RGB pixels of its size`,
      'give a path, the bytes of a file, or { width, height, data } with data of RGB, 3 bytes a pixel',
    )
  }
  const { exif = 'ignore', maxPixels = MAX_PIXELS } = options
  if (typeof picture !== 'string' && !(picture instanceof Uint8Array)) return picture
  const what = typeof picture === 'string' ? picture : name
  return withBytes(picture, async (bytes) => {
    if (bytes.length === 0) throw new FileError(`${what} cannot be read as a picture: it is empty`, REMEDY)
    try {
      const { width, height, decode } = await inspect(bytes, exif)
      const pixels = width * height
      const most = Math.min(maxPixels, MAX_PIXELS)
      if (pixels > most) throw new TooManyPixels(`${width} x ${height} pixels are more than ${most}`)
      const leave = await pixelsRoom(pixels)
      // what the caller does with the pixels at once belongs to their time in memory
      return await decode().finally(() => setImmediate(leave))
    } catch (cause) {
      throw new FileError(`${what} cannot be read as a picture: ${reasonOf(cause)}`, REMEDY, { cause: causeOf(cause) })
    }
  })
}

const REMEDY = 'remove the file, or replace it with a PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP, PPM or HEIC picture'

/** Does something with the bytes of a file, when there is room for them. Throws FileError when it cannot be read. */
export async function withBytes<T>(picture: string | Uint8Array, use: (bytes: Uint8Array) => Promise<T>): Promise<T> {
  if (typeof picture !== 'string') return use(picture)
  const { size } = await stat(picture).catch((cause: unknown) => {
    throw fileError('read', picture, cause)
  })
  const leave = await filesRoom(size)
  try {
    return await use(await readBytes(picture))
  } finally {
    leave()
  }
}

/**
 * What decoding does to these bytes beyond their plain pixels: features of such pictures have an id of their own, so that
 * turned ones, and those of versions that did not do so, are never taken for them. Undefined also for what cannot be read.
 */
export async function specialDecoding(bytes: Uint8Array, exif: Exif): Promise<'turned' | 'palette' | undefined> {
  if (bytes.length === 0) return undefined
  if (hasOwnColours(bytes)) return 'palette'
  if (ownReader(bytes) !== undefined || (exif === 'ignore' && !isTiff(bytes))) return undefined
  const sharp = await openSharp()
  const known = await sharp(bytes, OPTIONS)
    .metadata()
    .catch(() => undefined)
  return known !== undefined && turns(known, exif) ? 'turned' : undefined
}

const UNKNOWN_KIND = 'it is not a picture of a kind that is known'

/** What the decoder means, in plain words; its own are kept as the cause. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/unsupported image format/i, UNKNOWN_KIND],
  [/pixel limit/i, `it has more than ${MAX_PIXELS / 1e6} million pixels`],
]

function reasonOf(cause: unknown): string {
  if (cause instanceof PictureFault) return cause.message
  const found = REASONS.find(([pattern]) => pattern.test(String(cause)))
  return found === undefined ? 'it is damaged, or only part of it is there' : found[1]
}

/** What sharp refuses for its size is one of too many pixels, too. */
const causeOf = (cause: unknown) =>
  /pixel limit/i.test(String(cause)) ? new TooManyPixels(reasonOf(cause), { cause }) : cause

const isTiff = ([first, second]: Uint8Array) => first === second && (first === 0x49 || first === 0x4d)

const turns = ({ format, orientation = 1 }: Pick<Metadata, 'format' | 'orientation'>, exif: Exif) =>
  orientation > 1 && (format === 'tiff' || exif === 'turn')

/** A picture that is known but not decoded yet. */
interface Known {
  readonly width: number
  readonly height: number
  decode(): Promise<RgbImage>
}

/** A format that sharp does not read. */
interface OwnReader {
  size(bytes: Uint8Array): Pick<RgbImage, 'width' | 'height'>
  decode(bytes: Uint8Array): RgbImage
}

function ownReader(bytes: Uint8Array): OwnReader | undefined {
  const [first, second = 0, third = 0] = bytes
  if (first === 0x42 && second === 0x4d) return { size: bmpSize, decode: decodeBmp }
  const isPnm = first === 0x50 && second >= 0x31 && second <= 0x36 && /[\s#]/.test(String.fromCharCode(third))
  if (isPnm) return { size: pnmSize, decode: decodePnm }
  return isHeic(bytes) ? { size: heicSize, decode: decodeHeic } : undefined
}

async function inspect(bytes: Uint8Array, exif: Exif): Promise<Known> {
  const own = ownReader(bytes)
  if (own !== undefined) {
    return { ...own.size(bytes), decode: async () => own.decode(bytes) }
  }
  const sharp = await openSharp()
  const known = await sharp(bytes, OPTIONS).metadata()
  const { width, height, space, format } = known
  // drawn, not decoded: a few words of it can keep a processor busy for hours
  if (format === 'svg') throw new PictureFault(UNKNOWN_KIND)
  if (format === 'gif' && width * height > GIF_UNQUESTIONED && width * height > GIF_RATIO * bytes.length) {
    throw new PictureFault(`${width} x ${height} pixels are more than its ${bytes.length} bytes can hold`)
  }
  const turned = turns(known, exif)
  const open = (input: Uint8Array) => (turned ? sharp(input, OPTIONS).autoOrient() : sharp(input, OPTIONS))
  const decode = async () => {
    if (space === 'cmyk') return decodeCmyk(open(bytes))
    if (format !== 'gif') return decodeRgb(open(bytes))
    const image = await decodeRgb(open(withoutTransparency(bytes)))
    paintAround(bytes, image)
    return image
  }
  return { width, height, decode }
}

async function decodeRgb(picture: Sharp): Promise<RgbImage> {
  const { data, info } = await picture
    .toColourspace('srgb')
    .removeAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height } = info
  const values = new Uint8Array(data.buffer, data.byteOffset, data.length)
  return { width, height, data: info.channels === 3 ? values : greyToRgb(values) }
}

function greyToRgb(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(grey.length * 3)
  for (let i = 0; i < grey.length; i++) rgb.fill(grey[i]!, i * 3, i * 3 + 3)
  return rgb
}

/** Pillow's plain conversion of the four inks: value = (255 - k) - ink (255 - k) / 255, no colour management. */
async function decodeCmyk(picture: Sharp): Promise<RgbImage> {
  const { data: inks, info } = await picture
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
export async function encodePng(image: RgbImage): Promise<Uint8Array> {
  checkImage(image)
  const { width, height, data } = image
  const sharp = await openSharp()
  return new Uint8Array(
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  )
}
