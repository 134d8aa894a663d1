import { UsageError } from '../base/errors.ts'
import { mapLimited } from '../base/overlap.ts'
import type { Clip } from '../clip/types.ts'
import { exifOf, type Item } from '../data/items.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { PixelSource } from '../learning/batches.ts'
import { DEFAULT_TRANSFORMS } from '../pictures/transforms.ts'
import type { Views } from '../pictures/views.ts'
import type { EncodeOptions } from './pictures.ts'
import type { PictureReader } from './reader.ts'

/** Pictures that are decoded at a time. */
const DECODED = 8

/**
 * Labelled pictures as the image tower takes them, those that `featureFeeds` gives features of: with `views` augmented
 * ones one after another, one per epoch, or with `online` one drawn for each epoch; with 0 as they are tested.
 */
export function pixelSource(
  reader: PictureReader,
  { config: { preprocess: config } }: Clip,
  items: readonly Item[],
  views: Views,
  seed: number,
  { transforms = DEFAULT_TRANSFORMS }: EncodeOptions,
): PixelSource {
  const side = config.size
  async function pixelsOf(i: number, epoch: number): Promise<Float32Array> {
    const { path, given, ...item } = items[i] ?? { path: '' }
    if (given !== undefined) {
      const why = `${given.from.file} has features, and this method looks at pictures`
      throw new UsageError(why, 'give it pictures, or take another method')
    }
    const exif = exifOf(item)
    const view =
      views === 0
        ? undefined
        : {
            seed,
            content: await reader.content(path, exif),
            index: views === 'online' ? epoch : (epoch + i) % views,
          }
    const [pixels] = await reader.pixels(path, path, { config, transforms, exif }, [view])
    return pixels!
  }
  return {
    images: items.length,
    async pixels(images, epoch) {
      const batch = floatTensor([images.length, 3, side, side])
      const all = await mapLimited(images, DECODED, (i) => pixelsOf(i, epoch))
      for (const [i, pixels] of all.entries()) batch.data.set(pixels, i * pixels.length)
      return batch
    },
  }
}
