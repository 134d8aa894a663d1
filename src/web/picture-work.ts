import type { RgbImage } from '../clip/types.ts'
import type { Exif } from '../pictures/picture.ts'
import { PictureFault } from '../pictures/picture-fault.ts'
import { type Preparation, prepared } from '../pictures/prepare.ts'
import type { View } from '../pictures/views.ts'
import { decodeBytes } from './decode.ts'

/** Work with a picture. */
export type PictureTask =
  | { readonly kind: 'decode'; readonly bytes: Uint8Array; readonly exif: Exif }
  | { readonly kind: 'prepare'; readonly image: RgbImage; readonly how: Preparation; readonly view: View | undefined }

/** What came of it; `fault` says why bytes are no picture. */
export type PictureResult =
  | { readonly image: RgbImage }
  | { readonly pixels: Float32Array }
  | { readonly fault: string }
  | { readonly error: string }

/** Does it; `moved` is memory that may go over to another thread. */
export async function answerPicture(
  task: PictureTask,
): Promise<{ readonly result: PictureResult; readonly moved: ArrayBuffer[] }> {
  try {
    if (task.kind === 'decode') {
      const image = await decodeBytes(task.bytes, task.exif)
      return { result: { image }, moved: movable(image.data) }
    }
    const pixels = prepared(task.image, task.how, task.view)
    return { result: { pixels }, moved: movable(pixels) }
  } catch (error) {
    if (error instanceof PictureFault) return { result: { fault: error.message }, moved: [] }
    return { result: { error: error instanceof Error ? error.message : String(error) }, moved: [] }
  }
}

const movable = ({ buffer }: ArrayBufferView) => (buffer instanceof ArrayBuffer ? [buffer] : [])
