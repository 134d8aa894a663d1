import { sha256 } from '../base/sha256.ts'
import type { RgbImage } from '../clip/types.ts'

/** A picture: its path, the bytes of its file, or decoded. */
export type Picture = string | Uint8Array | RgbImage

/** What is done with a picture's EXIF orientation: `turn` it as a phone means it, or `ignore` it as Pillow's decoding does. */
export type Exif = (typeof EXIF_WAYS)[number]
export const EXIF_WAYS = ['turn', 'ignore'] as const

/** What messages call a picture, the `index`-th of several. */
export function pictureName(picture: Picture, index: number): string {
  return typeof picture === 'string' ? picture : `picture ${index + 1}`
}

/** Hex SHA-256 that says which picture it is: the same for the same bytes of a file, or the same size and pixels. */
export async function pictureHash(picture: Exclude<Picture, string>): Promise<string> {
  if (picture instanceof Uint8Array) return sha256(picture)
  return sha256(`${picture.width} x ${picture.height} ${await sha256(picture.data)}`)
}
