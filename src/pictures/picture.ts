import { z } from 'zod'
import { sha256 } from '../base/sha256.ts'
import type { RgbImage } from '../clip/types.ts'

/** A picture: its path, the bytes of its file, or decoded. */
export type Picture = string | Uint8Array | RgbImage

/** What is done with a picture's EXIF orientation: `turn` it as a phone means it, or `ignore` it as Pillow's decoding does. */
export type Exif = (typeof EXIF_WAYS)[number]
export const EXIF_WAYS = ['turn', 'ignore'] as const

/** How a picture is decoded. */
export interface DecodeOptions {
  /** Whether a picture is turned as its EXIF orientation says; default: it is not. */
  readonly exif?: Exif
  /** Pictures of more pixels are refused before they are decoded; default: 180 million, which is the most. */
  readonly maxPixels?: number
}

const rgb = z.object({ width: z.int().min(1), height: z.int().min(1), data: z.instanceof(Uint8Array) })

/** Whether it is a path, bytes, or pixels of their size: callers without types give pixels with alpha, a Blob. */
export function isPicture(value: unknown): value is Picture {
  if (typeof value === 'string' || value instanceof Uint8Array) return true
  const { data: image } = rgb.safeParse(value)
  return image !== undefined && image.data.length === 3 * image.width * image.height
}

/** What messages call a picture, the `index`-th of several. */
export function pictureName(picture: Picture, index: number): string {
  return typeof picture === 'string' ? picture : `picture ${index + 1}`
}

/** Hex SHA-256 that says which picture it is: the same for the same bytes of a file, or the same size and pixels. */
export async function pictureHash(picture: Exclude<Picture, string>): Promise<string> {
  if (picture instanceof Uint8Array) return sha256(picture)
  return sha256(`${picture.width} x ${picture.height} ${await sha256(picture.data)}`)
}
