import type { RgbImage } from '../clip/types.ts'
import type { Exif } from '../pictures/picture.ts'
import type { WebPicture } from './picture.ts'

export async function decodeImage(
  _picture: WebPicture,
  _name = 'the picture',
  _options: { readonly exif?: Exif } = {},
): Promise<RgbImage> {
  throw new Error('not built yet')
}
export async function encodePng(_image: RgbImage): Promise<Uint8Array> {
  throw new Error('not built yet')
}
