import type { Clip } from '../clip/types.ts'
import { exifOf, type Item } from '../data/items.ts'
import { mapLimited } from '../data/overlap.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { PixelSource } from '../learning/batches.ts'
import { contentHash } from '../node/content-hash.ts'
import { decodeImage } from '../node/image.ts'
import { normalize, preprocess } from '../pictures/preprocess.ts'
import { DEFAULT_TRANSFORMS, TRANSFORMS } from '../pictures/transforms.ts'
import type { Views } from '../pictures/views.ts'
import { augmentedView } from '../pictures/views.ts'
import type { PictureOptions } from './pictures.ts'

/** Pictures that are decoded at a time. */
const DECODED = 8

/**
 * Labelled pictures as the image tower takes them, those that `featureFeeds` gives features of: with `views` augmented
 * ones one after another, one per epoch, or with `online` one drawn for each epoch; with 0 as they are tested.
 */
export function pixelSource(
  { config: { preprocess: config } }: Clip,
  items: readonly Item[],
  views: Views,
  seed: number,
  { transforms = DEFAULT_TRANSFORMS }: PictureOptions,
): PixelSource {
  const side = config.size
  async function pixelsOf(i: number, epoch: number): Promise<Float32Array> {
    const { path, ...item } = items[i] ?? { path: '' }
    const exif = exifOf(item)
    const image = await decodeImage(path, path, { exif })
    if (views === 0) return preprocess(image, config, TRANSFORMS[transforms].test)
    const view = {
      seed,
      content: await contentHash(path, exif),
      index: views === 'online' ? epoch : (epoch + i) % views,
    }
    return normalize(augmentedView(image, side, view, transforms), config)
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
