import { type Exif, type Picture, pictureName } from '../pictures/picture.ts'
import { decodeImage, openSharp } from './image.ts'

/** Pixels of the longer side. */
const SIDE = 144
const QUALITY = 72

/** A small copy of a picture as a data URL (WebP, some 3 kB). Throws FileError as decodeImage does. */
export async function thumbnail(picture: Picture, exif: Exif = 'ignore'): Promise<string> {
  const { width, height, data } = await decodeImage(picture, pictureName(picture, 0), { exif })
  const sharp = await openSharp()
  const small = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ width: SIDE, height: SIDE, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: QUALITY })
    .toBuffer()
  return `data:image/webp;base64,${small.toString('base64')}`
}
